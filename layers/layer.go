package layers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// Member is what a layer delivers to: a consumer's connection, as a rule.
//
// Its methods are called by the goroutine that sends, or the driver's, many at
// once, with no lock held. They must not block and must run no code of the
// application. What they cannot take in they count as lost. Members are compared
// with ==, so a Member is a pointer.
//
// The results say whether the sender should yield, as [protocol.Conn.ShouldYield]
// does: if those of any member do, a send calls runtime.Gosched once, when it has
// reached all members. It never waits.
type Member interface {
	// Deliver takes an event for the consumer. e is sealed, shared, and may
	// be kept.
	Deliver(e *protocol.Event) (yield bool)
	// Offer takes a message for the peer, past the consumer. p must not be
	// kept; what its methods return may be.
	Offer(p *protocol.Prepared) (yield bool)
}

// Layer carries events within this process and, if it has a [Driver], to others.
// The zero value is an empty layer of this process only, ready for use; [Open]
// makes one with a driver. All methods are safe for concurrent use; a Layer must
// not be copied.
//
// Members in this process get what is sent at once, and whether or not the back
// end is up.
type Layer struct {
	groups   table[*roster]
	channels table[Member]
	queues   queues // of named channels, if there is no driver
	driver   Driver // nil: this process only

	histories histories // if there is no driver
	crowds    crowds    // if there is no driver

	subs     subscriptions
	counters counters
	closed   atomic.Bool
	naming   sync.Once
	node     string // by Node
}

// Open returns a layer over d, which it starts. ctx bounds the start only. The
// error is the driver's, or ctx's.
func Open(ctx context.Context, d Driver) (*Layer, error) {
	if d == nil {
		return nil, errors.New("wye: layers.Open: the driver is nil; for this process only there are layers.Default and memory.New")
	}
	l := &Layer{driver: d}
	l.subs.driver = d
	if err := d.Start(ctx, (*receiver)(l)); err != nil {
		return nil, errtext.Wrap("wye: starting the layer's driver", err)
	}
	return l, nil
}

// Close stops the driver and lets go of it. Members are told nothing; shut the
// protocol servers down first. Later calls return an error that matches
// ErrClosed. A layer without a driver has nothing to close.
func (l *Layer) Close(ctx context.Context) error {
	if l.driver == nil || l.closed.Swap(true) {
		return nil
	}
	l.subs.close()
	err := l.driver.Close(ctx) // has calls that wait return, those of subs too
	l.subs.wait(ctx)
	return err
}

// Node is the name of this node among those that a driver connects, made at
// random. The names of its channels contain it.
func (l *Layer) Node() string {
	l.naming.Do(func() { l.node = rand.Text()[:16] })
	return l.node
}

// GroupSend sends e to every member of group, on every node. Nobody there is not
// an error. What one goroutine sends to a group arrives in that order, events and
// messages ([Layer.Broadcast]) alike. When it returns, each member in this process has e in its queue, or
// has been dealt with as its limits say; no handler has necessarily run. Errors:
// an invalid name, a payload that cannot be encoded, ctx's if it has ended, the
// driver's, such as ErrDown: then only members of this process have got e.
func (l *Layer) GroupSend(ctx context.Context, group string, e *protocol.Event) error {
	return l.GroupSendExcept(ctx, group, e, nil)
}

// GroupSendExcept is GroupSend to all members but one. nil leaves nobody out.
func (l *Layer) GroupSendExcept(ctx context.Context, group string, e *protocol.Event, but Member) error {
	_, err := l.GroupSendCount(ctx, group, e, but)
	return err
}

// GroupSendCount is GroupSendExcept, and returns how many members of this process were
// given e: 0 means that a user is not connected here. Other nodes are not counted.
func (l *Layer) GroupSendCount(ctx context.Context, group string, e *protocol.Event, except Member) (reached int, err error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return 0, err
	}
	if err := e.Seal(); err != nil {
		return 0, err
	}
	e = unplaced(e)
	reached = l.deliver(group, e, except)
	if reached == 0 {
		l.unheard(ctx, group, e.Type())
	}
	return reached, l.publish(ctx, group, e)
}

// unheard counts what was sent to nobody in this process.
func (l *Layer) unheard(ctx context.Context, to, typ string) {
	l.counters.unheard.Add(1)
	if log := slog.Default(); log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, "wye: nobody in this process received what was sent", "to", logs.Cut(to), "type", logs.Cut(typ))
	}
}

// unplaced is e without the place that it may have in a history, which is not that
// of where it is sent now.
func unplaced(e *protocol.Event) *protocol.Event {
	if e.Position().IsZero() {
		return e
	}
	return e.At(protocol.Position{})
}

// deliver hands e to the members of group in this process, and returns how many those
// are; an event of the layer's own only to those that watch it. Those of a history come
// one after the other.
func (l *Layer) deliver(group string, e *protocol.Event, but Member) (reached int) {
	all, except, late := l.except(group, but)
	if late {
		l.promote(group, e.Position())
	}
	d, yield := deliveryOf(e), false
	for chunk := range all.chunks {
		for _, m := range chunk {
			if m == except || d.watched && !watches(m, e.Type()) {
				continue
			}
			reached++
			if d.to(m) {
				yield = true
			}
		}
	}
	if yield {
		runtime.Gosched()
	}
	return reached
}

// except returns the members of group, and the one that stands for but among them.
// late reports whether any stands for another.
func (l *Layer) except(group string, but Member) (all view, except Member, late bool) {
	s := l.groups.shard(group)
	s.RLock()
	defer s.RUnlock()
	g := s.get(group)
	if g == nil {
		return view{}, nil, false
	}
	if g.late == nil {
		return g.walk(), but, false
	}
	if w, ok := g.late[but]; ok {
		but = w
	}
	return g.walk(), but, true
}

// delivery is what members are given of an event, found out once for all of them.
type delivery struct {
	event   *protocol.Event
	message *protocol.Prepared // of an event that is a ready message
	closes  bool               // the event is a Close
	watched bool               // the event is for members that watch the layer
}

func deliveryOf(e *protocol.Event) delivery {
	typ := e.Type()
	return delivery{event: e, message: e.Prepared(), closes: typ == Close.Name, watched: driver.IsLayerEvent(typ)}
}

// to gives m the event, or its ready message, or does what it asks for.
func (d *delivery) to(m Member) (yield bool) {
	switch {
	case d.message != nil:
		return m.Offer(d.message)
	case d.closes:
		closeMember(m, d.event)
		return false
	}
	return m.Deliver(d.event)
}

// hand is the delivery of e to one member.
func hand(m Member, e *protocol.Event) (yield bool) {
	d := deliveryOf(e)
	return d.to(m)
}

// publishTime bounds how long a send whose ctx was canceled by its own delivery waits for
// the driver.
const publishTime = 10 * time.Second

// publish sends e to the other nodes, when it has been delivered in this process. That
// may have closed the connection whose callback sends, and canceled its ctx: the other
// nodes get e all the same.
func (l *Layer) publish(ctx context.Context, group string, e *protocol.Event) error {
	if l.driver == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), publishTime)
		defer cancel()
	}
	err := l.driver.Publish(ctx, group, e)
	l.counters.publish(err)
	return err
}

// Broadcast puts a message on the outgoing queue of every connection in group,
// encoded once, without waking the consumers (except those that declared a
// handler for [protocol.SendType]). Where events wait for a consumer, or it handles
// one, the message waits behind them, so that events and messages of one sender
// arrive in one order; what a consumer sends to its own peer meanwhile does not wait. m may be used again when it returns. If m has
// a key, it is conflated in the queues of this process's members; what travels to
// other nodes has no field for it, so that there every message is sent. Errors as in
// GroupSend, and protocol.ErrNotUTF8 for a text that is not: then nobody gets it.
func (l *Layer) Broadcast(ctx context.Context, group string, m protocol.Message) error {
	return l.BroadcastExcept(ctx, group, m, nil)
}

// BroadcastExcept is Broadcast to all members but one. nil leaves nobody out.
func (l *Layer) BroadcastExcept(ctx context.Context, group string, m protocol.Message, except Member) error {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return err
	}
	p := protocol.Prepare(m)
	defer p.Release()
	if err := p.Err(); err != nil {
		return err
	}
	all, except, _ := l.except(group, except)
	reached := 0
	yield := false
	for chunk := range all.chunks {
		for _, m := range chunk {
			if m == except {
				continue
			}
			reached++
			if m.Offer(p) {
				yield = true
			}
		}
	}
	if yield {
		runtime.Gosched()
	}
	if reached == 0 {
		l.unheard(ctx, group, protocol.SendType.Name)
	}
	if l.driver == nil {
		return nil
	}
	return l.publish(ctx, group, p.Event())
}

// Send sends e to a channel: to the one consumer that has this name, on whatever
// node, or to a named channel, where it waits for a worker. A consumer that is
// not there is not an error: it may just have gone. Errors as in GroupSend, and
// ErrFull if as many events wait in a named channel as may.
func (l *Layer) Send(ctx context.Context, channel string, e *protocol.Event) error {
	if err := l.TrySend(ctx, channel, e); !errors.Is(err, ErrNobody) {
		return err
	}
	return nil
}

// TrySend is Send, except that it returns ErrNobody if e reached nobody because no
// consumer has this name any more: in this process always, for a consumer of another
// node if the driver can tell.
func (l *Layer) TrySend(ctx context.Context, channel string, e *protocol.Event) error {
	if err := l.usable(ctx, ValidChannel(channel)); err != nil {
		return err
	}
	if err := e.Seal(); err != nil {
		return err
	}
	e = unplaced(e)
	if m, here := l.channels.get(channel); here {
		if hand(m, e) {
			runtime.Gosched()
		}
		return nil
	}
	node, specific := driver.NodeOf(channel)
	switch {
	case specific && (l.driver == nil || node == l.Node()):
		l.unheard(ctx, channel, e.Type())
		return ErrNobody
	case l.driver == nil:
		return l.queues.put(channel, e)
	}
	err := l.driver.Send(ctx, channel, e)
	l.counters.publish(err)
	return err
}

// Pull takes one event from a named channel, and waits for it. Each event is
// taken once. Workers call it.
func (l *Layer) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	if err := l.usable(ctx, ValidChannel(channel)); err != nil {
		return nil, err
	}
	if _, specific := driver.NodeOf(channel); specific {
		return nil, fmt.Errorf("wye: %q is a consumer's channel, of which events are not pulled", channel)
	}
	if l.driver == nil {
		return l.queues.pull(ctx, channel)
	}
	return l.driver.Pull(ctx, channel)
}

// usable checks what the caller can have got wrong. name is what the name's check
// says.
func (l *Layer) usable(ctx context.Context, name error) error {
	switch {
	case name != nil:
		return name
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case l.closed.Load():
		return ErrClosed
	}
	return nil
}

// roster returns the members of group, whose shard s is locked, as a set that one
// is about to be added to.
func (l *Layer) roster(s *shard[*roster], group string) *roster {
	g := s.get(group)
	if g == nil {
		g = &roster{}
		s.put(group, g)
		if l.driver != nil {
			g.joined = l.subs.want(group, true)
		}
	}
	return g
}

// Leave takes m out of group; not being there is no error. When it returns no
// send that starts later reaches m through this group.
func (l *Layer) Leave(group string, m Member) { l.leave(group, m, nil) }

// leave is Leave, if only is nil or what stands for m.
func (l *Layer) leave(group string, m Member, only *late) {
	s := l.groups.shard(group)
	s.Lock()
	defer s.Unlock()
	g := s.get(group)
	if g == nil || only != nil && g.late[m] != only {
		return
	}
	w := g.late[m]
	if w != nil {
		w.leave()
		delete(g.late, m)
	}
	if only != nil && g.joining[m] != nil { // a Join goes on
		g.replace(w, m)
		return
	}
	delete(g.joining, m)
	if w != nil {
		m = w
	}
	l.remove(s, group, g, m)
}

// remove takes m, or what stands for it, out of g, whose shard s is locked.
func (l *Layer) remove(s *shard[*roster], group string, g *roster, m Member) {
	if !g.remove(m) || g.len() > 0 {
		return
	}
	s.drop(group)
	if l.driver != nil {
		l.subs.want(group, false)
	}
}

// members returns the members of group, to be walked.
func (l *Layer) members(group string) view {
	s := l.groups.shard(group)
	s.RLock()
	defer s.RUnlock()
	if g := s.get(group); g != nil {
		return g.walk()
	}
	return view{}
}

// Bind gives m a channel name, under which Send reaches it until unbind is
// called. Consumers use consumer.Conn.Channel. A name that is taken or not valid
// is an error. Other nodes find only names that NewChannel has made.
func (l *Layer) Bind(channel string, m Member) (unbind func(), err error) {
	if err := ValidChannel(channel); err != nil {
		return nil, err
	}
	s := l.channels.shard(channel)
	s.Lock()
	defer s.Unlock()
	if s.get(channel) != nil {
		return nil, fmt.Errorf("wye: the channel name %q is taken", channel)
	}
	s.put(channel, m)
	return sync.OnceFunc(func() {
		s.Lock()
		defer s.Unlock()
		s.drop(channel)
	}), nil
}

// NewChannel returns a name for one consumer's channel, unique among all nodes.
func (l *Layer) NewChannel() string { return driver.NewChannel(l.Node()) }
