package layers

import (
	"context"
	"errors"

	"github.com/wye-go/wye/layers/internal/catchup"
	"github.com/wye-go/wye/layers/internal/subscription"
)

// JoinFrom makes m a member of group, and returns the stored events that are in r, as
// History does; if there are more than r.Limit, the oldest are left out, whether or not
// r.Newest is set. A recorded event is either in Events or is delivered to m later, never
// both. Events that are sent but not recorded are delivered to m from the start of the call
// on. m receives nothing before the history has been read. Consumers use
// consumer.Conn.JoinFrom.
//
// A member that has left, or that joins for the second time, may also receive events that
// were being delivered to it before the call, and that are in Events: compare their
// positions.
//
// Errors: an invalid name; the error of ctx; the error of the driver, also ErrDown;
// ErrBehind if more than a few hundred events came while the history was read;
// errors.ErrUnsupported if the driver has no history. After these errors m is not a member,
// even if it was one before, unless a concurrent Join makes it one. ErrJoining changes
// nothing.
func (l *Layer) JoinFrom(ctx context.Context, group string, m Member, r Range) (History, error) {
	r.Newest = true // nothing may be missing between what is read and what comes
	err := l.usable(ctx, ValidName(group))
	if err == nil {
		_, err = l.backEnd().historian()
	}
	if err != nil {
		l.Leave(group, m)
		return History{}, err
	}
	w := &catchingUp{Member: m}
	subscribed, err := l.startCatchingUp(group, w)
	if err != nil {
		return History{}, err
	}
	h, err := l.catchUp(ctx, group, w, subscribed, r)
	if err != nil {
		l.endCatchingUp(group, w)
		return History{}, err
	}
	return h, nil
}

// startCatchingUp adds w in place of its member.
func (l *Layer) startCatchingUp(group string, w *catchingUp) (*subscription.Round, error) {
	s := l.groups.Shard(group)
	s.Lock()
	defer s.Unlock()
	g := l.groupToJoin(s, group)
	if _, err := g.subscribed.Result(); errors.Is(err, ErrDown) {
		// The back end may be up by now, and what it says of the past must be current.
		g.subscribed = l.backEnd().groups.Want(group, true)
	}
	return g.subscribed, g.joinCatchingUp(w)
}

// endCatchingUp removes w, whose JoinFrom has failed.
func (l *Layer) endCatchingUp(group string, w *catchingUp) {
	s := l.groups.Shard(group)
	s.Lock()
	defer s.Unlock()
	if g := s.Get(group); g != nil {
		g.endCatchingUp(w)
		l.removeIfEmpty(s, group, g)
	}
}

func (l *Layer) catchUp(ctx context.Context, group string, w *catchingUp, subscribed *subscription.Round, r Range) (History, error) {
	if err := subscribed.Wait(ctx); err != nil {
		return History{}, err
	}
	h, err := l.readPast(ctx, group, w, r)
	if err != nil {
		return History{}, err
	}
	if err := w.deliverWaiting(ctx, h.Last); err != nil {
		return History{}, err
	}
	if h.Last.IsZero() { // no event that was read can still arrive
		l.promote(group, h.Last)
	}
	return h, nil
}

// readPast reads the history. If events of another epoch wait it reads again, to tell those
// of a history that has been lost, which must not be delivered behind what is read, from
// those of one that has started since: a history that is lost does not come back.
func (l *Layer) readPast(ctx context.Context, group string, w *catchingUp, r Range) (History, error) {
	h, err := l.read(ctx, group, r)
	for err == nil {
		n, epoch := 0, h.Last.Epoch
		w.with(func(b *catchup.Buffer) { n = b.Strays(epoch) })
		if n == 0 {
			break
		}
		h, err = l.read(ctx, group, r)
		if err == nil && h.Last.Epoch == epoch {
			w.with(func(b *catchup.Buffer) { b.DropStrays(n, epoch) })
		}
	}
	return h, err
}
