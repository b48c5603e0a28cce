package layers

import (
	"context"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/protocol"
)

// GroupSend sends e to every member of group, on every node. Sending to an empty group is
// not an error. Events and messages ([Layer.Broadcast]) that one goroutine sends to a group
// arrive in the order of the sends. When GroupSend returns, e is in the queue of each member
// in this process, or the limits of a member without room have been applied. It does not
// wait for handlers.
//
// Errors: an invalid name, a payload that cannot be encoded, the error of ctx, or the error
// of the driver, such as ErrDown; in the last case the members in this process have
// received e, and other nodes have not. A callback that returns an error which matches ErrDown
// does not close its connection: the error is counted in Stats.Unpublished, and logged.
//
// GroupSend waits for the driver, for five seconds at most or until the deadline of ctx. If
// the back end has not answered by then, the error matches ErrDown and
// context.DeadlineExceeded, and other nodes may or may not have received e. Other
// connections do not wait. A layer without other nodes does not wait.
func (l *Layer) GroupSend(ctx context.Context, group string, e *protocol.Event) error {
	return l.GroupSendExcept(ctx, group, e, nil)
}

// GroupSendExcept is GroupSend to all members but one. nil excludes none.
func (l *Layer) GroupSendExcept(ctx context.Context, group string, e *protocol.Event, except Member) error {
	_, err := l.GroupSendCount(ctx, group, e, except)
	return err
}

// GroupSendCount is GroupSendExcept. It also returns to how many members in this process it
// has delivered e. Members on other nodes are not counted.
func (l *Layer) GroupSendCount(ctx context.Context, group string, e *protocol.Event, except Member) (reached int, err error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return 0, err
	}
	if err := events.Seal(e); err != nil {
		return 0, err
	}
	e = withoutPosition(e)
	all, except := l.walk(group, except)
	announce(ctx, &all, 0)
	reached = deliverToAll(all, e, except)
	if reached == 0 {
		l.counters.countUnheard(ctx, group, e.Type())
	}
	return reached, l.backEnd().publish(ctx, group, e)
}

// withoutPosition returns e without the position that it may have in a history, which is
// not that of the group it is sent to now.
func withoutPosition(e *protocol.Event) *protocol.Event {
	if e.Position().IsZero() {
		return e
	}
	return events.At(e, protocol.Position{})
}

// Broadcast sends a message to the peer of every connection in group. It encodes the
// message once and puts it on the outgoing queues without calling the consumers. A consumer
// that declares a handler for [protocol.SendType] gets an event instead.
//
// If events wait for a consumer, or it handles one, the message waits behind them, so that
// events and messages of one sender arrive in the order of the sends. Messages that the
// consumer sends to its own peer do not wait. If m has a key, it is conflated in the queues
// of members in this process; other nodes do not get the key, and send every message. When
// Broadcast has returned, the caller may change m.Data.
//
// Errors and waiting as in GroupSend, and protocol.ErrNotUTF8 for text that is not UTF-8;
// then no member receives the message.
func (l *Layer) Broadcast(ctx context.Context, group string, m protocol.Message) error {
	return l.BroadcastExcept(ctx, group, m, nil)
}

// BroadcastExcept is Broadcast to all members but one. nil excludes none.
func (l *Layer) BroadcastExcept(ctx context.Context, group string, m protocol.Message, except Member) error {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return err
	}
	p := protocol.Prepare(m)
	defer p.Release()
	if err := p.Err(); err != nil {
		return err
	}
	all, except := l.walk(group, except)
	announce(ctx, &all, p.Len())
	if offerToAll(all, p, except) == 0 {
		l.counters.countUnheard(ctx, group, protocol.SendType.Name)
	}
	return l.backEnd().publishMessage(ctx, group, p)
}
