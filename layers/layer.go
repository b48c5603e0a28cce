package layers

import (
	"context"
	"fmt"
	"sync"

	"github.com/wye-go/wye/protocol"
)

// Member is what a layer delivers to: a consumer's connection, as a rule.
//
// Its methods are called by the goroutine that sends, many at once, with no lock
// held. They must not block and must run no code of the application. What they
// cannot take in they count as lost. Members are compared with ==, so a Member
// is a pointer.
type Member interface {
	// Deliver takes an event for the consumer. e is sealed, shared, and may
	// be kept.
	Deliver(e *protocol.Event)
	// Offer takes a message for the peer, past the consumer. p must not be
	// kept; what its methods return may be.
	Offer(p *protocol.Prepared)
}

// Layer carries events within this process. The zero value is an empty layer,
// ready for use. All methods are safe for concurrent use; a Layer must not be
// copied.
type Layer struct {
	mu struct {
		sync.RWMutex
		groups   map[string]*roster
		channels map[string]Member
	}
}

// GroupSend sends e to every member of group. Nobody there is not an error.
// When it returns, each member has e in its queue, or has been dealt with as
// its limits say; no handler has necessarily run. Errors: an invalid name, a
// payload that cannot be encoded, ctx's if it has ended.
func (l *Layer) GroupSend(ctx context.Context, group string, e *protocol.Event) error {
	return l.GroupSendExcept(ctx, group, e, nil)
}

// GroupSendExcept is GroupSend to all members but one. nil leaves nobody out.
func (l *Layer) GroupSendExcept(ctx context.Context, group string, e *protocol.Event, but Member) error {
	if err := usable(ctx, group); err != nil {
		return err
	}
	if err := e.Seal(); err != nil {
		return err
	}
	message := e.Prepared()
	for _, m := range l.members(group) {
		if m != but {
			deliver(m, e, message)
		}
	}
	return nil
}

// deliver chooses the lane.
func deliver(m Member, e *protocol.Event, message *protocol.Prepared) {
	if message != nil {
		m.Offer(message)
	} else {
		m.Deliver(e)
	}
}

// Broadcast puts a message on the outgoing queue of every connection in group,
// encoded once, without waking the consumers (except those that declared a
// handler for [protocol.SendType]). m may be used again when it returns.
func (l *Layer) Broadcast(ctx context.Context, group string, m protocol.Message) error {
	if err := usable(ctx, group); err != nil {
		return err
	}
	p := protocol.Prepare(m)
	defer p.Release()
	for _, member := range l.members(group) {
		member.Offer(p)
	}
	return nil
}

// Send sends e to the one consumer that has the channel name. Nobody there is
// not an error: it may just have gone. Errors as in GroupSend.
func (l *Layer) Send(ctx context.Context, channel string, e *protocol.Event) error {
	if err := usable(ctx, channel); err != nil {
		return err
	}
	if err := e.Seal(); err != nil {
		return err
	}
	l.mu.RLock()
	m := l.mu.channels[channel]
	l.mu.RUnlock()
	if m != nil {
		deliver(m, e, e.Prepared())
	}
	return nil
}

// usable checks what the caller can have got wrong.
func usable(ctx context.Context, name string) error {
	if err := ValidName(name); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Join makes m a member of group; again is no error and no change. Consumers
// use consumer.Conn.Join, which leaves by itself. The error is an invalid name
// or ctx's.
func (l *Layer) Join(ctx context.Context, group string, m Member) error {
	if err := usable(ctx, group); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.mu.groups[group]
	if g == nil {
		g = newRoster()
		if l.mu.groups == nil {
			l.mu.groups = make(map[string]*roster)
		}
		l.mu.groups[group] = g
	}
	g.add(m)
	return nil
}

// Leave takes m out of group; not being there is no error. When it returns no
// send that starts later reaches m through this group.
func (l *Layer) Leave(group string, m Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.mu.groups[group]
	if g == nil {
		return
	}
	g.remove(m)
	if g.empty() {
		delete(l.mu.groups, group)
	}
}

// members returns the list of group's members, to be walked and not changed.
func (l *Layer) members(group string) []Member {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if g := l.mu.groups[group]; g != nil {
		return g.members()
	}
	return nil
}

// Bind gives m a channel name, under which Send reaches it until unbind is
// called. Consumers use consumer.Conn.Channel. A name that is taken or not
// valid is an error.
func (l *Layer) Bind(channel string, m Member) (unbind func(), err error) {
	if err := ValidName(channel); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.channels[channel] != nil {
		return nil, fmt.Errorf("wye: the channel name %q is taken", channel)
	}
	if l.mu.channels == nil {
		l.mu.channels = make(map[string]Member)
	}
	l.mu.channels[channel] = m
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.mu.channels, channel)
	}), nil
}
