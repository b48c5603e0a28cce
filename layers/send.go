package layers

import (
	"context"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/protocol"
)

// GroupSend sends e to every member of group, on every node. Sending to an empty group is
// not an error. What one goroutine sends to a group arrives in that order, events and
// messages ([Layer.Broadcast]) alike. When it returns, each member in this process has e in
// its queue, or has been treated as its limits say; no handler has necessarily run.
//
// Errors: an invalid name, a payload that cannot be encoded, ctx's if it has ended, the
// driver's, such as ErrDown: then members of this process have received e, and other nodes
// have not.
//
// A callback that sends waits for the driver, which other connections do not, and for five
// seconds at most: if the back end has not answered by then the error matches ErrDown and
// context.DeadlineExceeded, and other nodes may have received e or not. A shorter deadline
// of ctx holds. A layer without other nodes waits for nothing.
func (l *Layer) GroupSend(ctx context.Context, group string, e *protocol.Event) error {
	return l.GroupSendExcept(ctx, group, e, nil)
}

// GroupSendExcept is GroupSend to all members but one. nil excludes none.
func (l *Layer) GroupSendExcept(ctx context.Context, group string, e *protocol.Event, except Member) error {
	_, err := l.GroupSendCount(ctx, group, e, except)
	return err
}

// GroupSendCount is GroupSendExcept, and returns how many members of this process were
// given e: 0 means that a user is not connected here. Other nodes are not counted.
func (l *Layer) GroupSendCount(ctx context.Context, group string, e *protocol.Event, except Member) (reached int, err error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return 0, err
	}
	if err := events.Seal(e); err != nil {
		return 0, err
	}
	e = withoutPosition(e)
	reached = l.deliver(group, e, except)
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

// Broadcast puts a message on the outgoing queue of every connection in group, encoded
// once, without waking the consumers (except those that declared a handler for
// [protocol.SendType]). Where events wait for a consumer, or it handles one, the message
// waits behind them, so that events and messages of one sender arrive in one order; what a
// consumer sends to its own peer meanwhile does not wait. m may be used again when it
// returns. If m has a key, it is conflated in the queues of this process's members; what
// travels to other nodes has no field for it, so that there every message is sent. Errors
// and waiting as in GroupSend, and protocol.ErrNotUTF8 for a text that is not: then no member
// receives it.
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
	if offerToAll(all, p, except) == 0 {
		l.counters.countUnheard(ctx, group, protocol.SendType.Name)
	}
	return l.backEnd().publishMessage(ctx, group, p)
}
