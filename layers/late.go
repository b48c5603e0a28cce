package layers

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/wye-go/wye/protocol"
)

// lateEvents is how many events may wait for a member whose JoinFrom still reads
// history.
const lateEvents = 256

// JoinFrom joins and reads at once: it returns what is kept of group's history in r,
// as History does, except that r.Limit always leaves out the oldest events, as if
// r.Newest were set; and m gets whatever is recorded later: an event of
// the history either is in Events or is delivered to m, and never both. What is only
// sent is delivered from the time of the call on. Nothing is delivered before the
// history has been read. Consumers use consumer.Conn.JoinFrom.
//
// A member that has left, and whatever joins for the second time, may be given
// events that were on their way to it before the call, also if they are in Events:
// their positions tell.
//
// Errors: an invalid name, ctx's, the driver's (ErrDown too), ErrBehind if more
// than a few hundred events came while the history was read, errors.ErrUnsupported
// for a driver without history: then m is no member, also if it was one before, unless
// a Join makes it one meanwhile. On ErrJoining nothing changes.
func (l *Layer) JoinFrom(ctx context.Context, group string, m Member, r Range) (History, error) {
	r.Newest = true // nothing may be missing between what is read and what comes
	w := &late{Member: m}
	err := l.usable(ctx, ValidName(group))
	if err == nil && l.driver != nil {
		_, err = l.historian()
	}
	if err != nil {
		l.Leave(group, m)
		return History{}, err
	}
	subscribed, err := l.enterLate(group, w)
	if err != nil {
		return History{}, err
	}
	h, err := l.catchUp(ctx, group, w, subscribed, r)
	if err != nil {
		l.leave(group, m, w)
		return History{}, err
	}
	return h, nil
}

func (l *Layer) catchUp(ctx context.Context, group string, w *late, subscribed *round, r Range) (History, error) {
	if subscribed != nil {
		if err := subscribed.wait(ctx); err != nil {
			return History{}, err
		}
	}
	h, err := l.readLate(ctx, group, w, r)
	if err != nil {
		return History{}, err
	}
	for {
		events, more, err := w.next(h.Last)
		if err != nil {
			return History{}, err
		}
		if !more {
			break
		}
		for _, e := range events {
			hand(w.Member, e)
		}
		if ctx.Err() != nil {
			return History{}, context.Cause(ctx)
		}
	}
	if h.Last.IsZero() {
		l.promote(group, h.Last)
	}
	return h, nil
}

// readLate reads the history. If events of another one wait it reads again, to tell
// those of a history that has been lost, which nobody is to get behind what is read,
// from those of one that has begun since: a history that is lost does not come back.
func (l *Layer) readLate(ctx context.Context, group string, w *late, r Range) (History, error) {
	h, err := l.read(ctx, group, r)
	for err == nil {
		n, epoch := w.strays(h.Last.Epoch), h.Last.Epoch
		if n == 0 {
			break
		}
		h, err = l.read(ctx, group, r)
		if err == nil && h.Last.Epoch == epoch {
			w.drop(n, epoch)
		}
	}
	return h, err
}

// ErrJoining means that another JoinFrom of the same member and group is not done
// yet. Match it with errors.Is.
var ErrJoining = errors.New("wye: another JoinFrom of this member and group is under way")

// enterLate adds w in place of its member, which may be there.
func (l *Layer) enterLate(group string, w *late) (*round, error) {
	s := l.groups.shard(group)
	s.Lock()
	defer s.Unlock()
	g := l.roster(s, group)
	if g.joined.isDown() { // it may be up by now, and what it says of the past is of no use
		g.joined = l.subs.want(group, true)
	}
	before, again := g.late[w.Member]
	switch {
	case again && !before.isSettled():
		return nil, ErrJoining
	case again:
		g.replace(before, w)
	case g.has(w.Member):
		g.replace(w.Member, w)
	default:
		g.add(w)
	}
	if g.late == nil {
		g.late = make(map[Member]*late)
	}
	g.late[w.Member] = w
	return g.joined, nil
}

// promote puts members in their places again for which the late ones stand: those
// that have read the history up to p or less, when the event at p is handed on to a
// view that was taken before. From now on only later ones come, of which there is
// nothing to hold back.
func (l *Layer) promote(group string, p protocol.Position) {
	s := l.groups.shard(group)
	s.Lock()
	defer s.Unlock()
	g := s.get(group)
	if g == nil {
		return
	}
	for m, w := range g.late {
		if w.isReady(p) {
			g.replace(w, m)
			delete(g.late, m)
		}
	}
	if len(g.late) == 0 {
		g.late = nil
	}
}

// late stands in a roster for a member that joins while it reads the group's
// history. Until that is read live events wait; then those that are in the history
// are left out, and the others handed on.
//
// It stays until the next event is recorded, because an event that was read may
// still be on its way here, from a lane or another node. (If the history begins
// anew before that it stays for good: slower by a lock, and right.)
type late struct {
	Member

	mu struct {
		sync.Mutex
		waiting []*protocol.Event
		over    bool              // of them, there were too many
		settled bool              // events do not wait any more
		last    protocol.Position // what has been read, once settled
	}
}

// Deliver hands e on, keeps it, or leaves it out.
func (w *late) Deliver(e *protocol.Event) (yield bool) {
	return w.take(e) && w.Member.Deliver(e)
}

// Offer is Deliver for messages.
func (w *late) Offer(p *protocol.Prepared) (yield bool) {
	return w.take(p.Event()) && w.Member.Offer(p)
}

// Close closes the member.
func (w *late) Close(code protocol.CloseCode, reason string) {
	if c, ok := w.Member.(Closer); ok {
		c.Close(code, reason)
	}
}

// Watches asks the member.
func (w *late) Watches(typ string) bool { return watches(w.Member, typ) }

// take reports whether e is to be handed on now.
func (w *late) take(e *protocol.Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.mu.over:
		return false
	case w.mu.settled:
		return !w.mu.last.Covers(e.Position())
	case len(w.mu.waiting) == lateEvents:
		w.mu.over, w.mu.waiting = true, nil
		return false
	}
	w.mu.waiting = append(w.mu.waiting, e)
	return false
}

// strays is how many events wait up to the last one that was recorded in another
// epoch.
func (w *late) strays(epoch string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range w.mu.waiting {
		if isStray(e, epoch) {
			n = i + 1
		}
	}
	return n
}

// drop lets go of the strays among the first n that wait.
func (w *late) drop(n int, epoch string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n = min(n, len(w.mu.waiting)) // there may have come too many meanwhile
	rest := slices.DeleteFunc(slices.Clone(w.mu.waiting[:n]), func(e *protocol.Event) bool { return isStray(e, epoch) })
	w.mu.waiting = append(rest, w.mu.waiting[n:]...)
}

func isStray(e *protocol.Event, epoch string) bool {
	p := e.Position()
	return !p.IsZero() && p.Epoch != epoch
}

// next returns what is to be handed on now that the history is read up to last.
// When there is no more, nothing will wait again.
func (w *late) next(last protocol.Position) (events []*protocol.Event, more bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.over {
		return nil, false, ErrBehind
	}
	waiting := w.mu.waiting
	w.mu.waiting = nil
	if len(waiting) == 0 {
		w.mu.settled, w.mu.last = true, last
		return nil, false, nil
	}
	for _, e := range waiting {
		if !last.Covers(e.Position()) {
			events = append(events, e)
		}
	}
	return events, true, nil
}

// leave lets go of what waits.
func (w *late) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.waiting = nil
}

func (w *late) isSettled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.settled
}

// isReady reports whether nothing that was read can come any more, when the event
// at p does.
func (w *late) isReady(p protocol.Position) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.settled && (w.mu.last.IsZero() || p.Covers(w.mu.last))
}

// who is the member that m stands for.
func who(m Member) Member {
	if w, ok := m.(*late); ok {
		return w.Member
	}
	return m
}
