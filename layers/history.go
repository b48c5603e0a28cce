package layers

import (
	"context"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/protocol"
)

// Record stores e in the history of group, sends it to all members as GroupSend does, and
// returns its position in the history. Members that join later, or that were disconnected,
// can read it: see [Layer.JoinFrom]. Members receive a copy of e whose Position is set.
//
// All members receive recorded events in the order of their positions, whichever node has
// recorded them. A recorded event may overtake an event of GroupSend, or the other way round.
// When Record returns, the event is stored and is being delivered.
//
// If Record returns an error, no member has received e and e is not stored. An exception is
// a back end that has not answered in time: then it may be stored and delivered. Errors as
// in GroupSend; a Retention that is out of bounds; ErrBehind if a few hundred events of the
// group wait and none is delivered for a second; errors.ErrUnsupported if the driver has no
// history. The number of histories is not limited: do not let a peer choose the names of
// groups to which you record.
//
// In a layer without other nodes the history is in the memory of this process. It is dropped
// an hour after its last event has expired; the memory is released when another history of
// the layer is used.
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

// History returns the stored events of group that are in r, the oldest first. To read them
// in pages, set Range.After to the position of the last event of the page before. The
// newest 50 events are in
//
//	Range{Limit: 50, Newest: true}
//
// Errors: an invalid name, the error of ctx, the error of the driver, or
// errors.ErrUnsupported if the driver has no history.
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
