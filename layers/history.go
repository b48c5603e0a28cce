package layers

import (
	"context"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/protocol"
)

// Record is GroupSend to all members for an event that is kept, so that a member that comes
// later, or comes back, can read it: see [Layer.JoinFrom]. It returns the event's position
// in the group's history. Members receive a copy of e that knows its position.
//
// Recorded events have an order of their own: all members receive them in the order of
// their positions, whichever node has sent them, and a recorded event and one that is only sent
// may overtake each other. When Record returns the event is kept and on its way; if nothing
// else records to the group at the time, it is in the members' queues.
//
// Errors as in GroupSend, but then no member has received e, and it is not kept (unless the
// back end has not answered in time: then it may be); and a Retention that is out of bounds,
// ErrBehind if a few hundred events of the group wait and none is delivered for a second, or
// errors.ErrUnsupported for a driver without history. How many groups have a history is not
// limited: do not let a peer choose their names.
//
// Without other nodes the history is in the memory of this process and ends with it. It is
// forgotten an hour after its last event has become too old; memory is released when other
// histories of the layer are used. Django Channels has nothing of the kind.
func (l *Layer) Record(ctx context.Context, group string, e *protocol.Event, k Retention) (protocol.Position, error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return protocol.Position{}, err
	}
	k, err := k.WithDefaults()
	if err != nil {
		return protocol.Position{}, err
	}
	if err := events.Seal(e); err != nil {
		return protocol.Position{}, err
	}
	b := l.backEnd()
	d, err := b.historian()
	if err != nil {
		return protocol.Position{}, err
	}
	ctx, end := b.startGiving(ctx)
	p, err := d.Append(ctx, group, e, k)
	return p, end(err)
}

// History returns what is kept of a group's history in r, oldest first. To read it in pages,
// continue after the position of the last of Events. The last 50 events are those of
//
//	Range{Limit: 50, Newest: true}
//
// Errors: an invalid name, ctx's, the driver's, or errors.ErrUnsupported if it keeps no
// history.
func (l *Layer) History(ctx context.Context, group string, r Range) (History, error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return History{}, err
	}
	return l.read(ctx, group, r)
}

func (l *Layer) read(ctx context.Context, group string, r Range) (History, error) {
	r.Limit = max(r.Limit, 0)
	b := l.backEnd()
	d, err := b.historian()
	if err != nil {
		return History{}, err
	}
	ctx, end := b.startCall(ctx)
	h, err := d.Read(ctx, group, r)
	return h, end(err)
}
