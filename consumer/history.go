package consumer

import (
	"context"
	"errors"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

type positionKey struct{}

// PositionOf returns the place of the event that is handled, in its group's
// history: ctx is what the handler was given. It is the zero value if the event was
// not recorded, and outside of a handler. Tell it to the peer, who brings it back
// for [Conn.JoinFrom].
func PositionOf(ctx context.Context) protocol.Position {
	if e, ok := ctx.Value(positionKey{}).(*protocol.Event); ok {
		return e.Position()
	}
	return protocol.Position{}
}

// Record sends e to every member of group, this connection included if it is one,
// and keeps it for those who come later, as k says, of which the zero value is the
// defaults; see [layers.Layer.Record], also for errors; and protocol.ErrTooManyGroups
// if the connection has recorded to Limits.Groups other ones before. A history outlives
// the connection, so that leaving a group makes no room for another one;
// c.Layer().Record has no such bound.
func (c *Conn) Record(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
	p, err := c.beginRecord(group)
	if err != nil {
		return protocol.Position{}, err
	}
	position, err := c.layer.Record(ctx, group, e, k)
	c.endRecord(p, err)
	return position, err
}

// beginRecord notes that the connection records to group. p is nil if the connection is
// over.
func (c *Conn) beginRecord(group string) (p *place, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.gone {
		return nil, nil //nolint:nilnil // there is nothing to note, which is not an error
	}
	if c.mu.recorded == nil {
		c.mu.recorded = new(places)
	}
	return c.mu.recorded.begin(group, c.conn.MayJoin)
}

func (c *Conn) endRecord(p *place, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p != nil && c.mu.recorded != nil {
		c.mu.recorded.end(p, err)
	}
}

// JoinFrom is Join for a connection that has seen group up to r.After, which is as a
// rule what its peer brings back: it joins, and returns what was recorded since and is
// still kept, or, with r.Limit, the last so many events of it. What comes later reaches the handlers, without a gap or a double. What
// is returned has not reached them: Replay does that. See [layers.Layer.JoinFrom].
//
// Call it in Connect or another callback: events wait until that has returned. In the
// function of [Func] that is so only before the connection is accepted.
//
// A connection that is in group already stays in it, and gets what it may have missed
// ([layers.Gap]); what waits for its handlers already may then be returned as well, and
// if the history has begun anew meanwhile, it may be of the one before: to be sure,
// have the peer connect again.
// On an error it is in the group no more, except on layers.ErrJoining. Errors: those
// of the layer, protocol.ErrTooManyGroups as in Join, and protocol.ErrClosed once the
// connection is over.
func (c *Conn) JoinFrom(ctx context.Context, group string, r layers.Range) (layers.History, error) {
	p, _, err := c.beginJoin(group)
	if err != nil {
		return layers.History{}, err
	}
	h, err := c.layer.JoinFrom(ctx, group, (*member)(c), r)
	if err != nil && !errors.Is(err, layers.ErrJoining) {
		c.mu.Lock()
		c.mu.groups.remove(p)
		c.mu.Unlock()
	}
	return h, c.endJoin(p, err)
}

// Replay handles events as if they came from the layer: with the consumer's handler
// for each, in order, or, if they are messages for the peer and there is no handler
// for [protocol.SendType], by sending them. [PositionOf] works in the handlers. Call it
// in a callback, with what JoinFrom has returned:
//
//	h, err := c.JoinFrom(ctx, "news", layers.Range{After: after})
//	if err != nil {
//		return err
//	}
//	return c.Replay(ctx, h.Events)
//
// In Connect accept before it, if that may be more than waits for the answer. Events
// of undeclared types, and payloads that do not fit, are left out. The first error of a
// handler or a send ends it and is returned, except for protocol.ErrDropped.
func (c *Conn) Replay(ctx context.Context, events []*protocol.Event) error {
	for _, e := range events {
		if err := c.replay(ctx, e); err != nil && !isPassedOver(err) {
			return err
		}
	}
	return nil
}

func (c *Conn) replay(ctx context.Context, e *protocol.Event) error {
	if p := e.Prepared(); p != nil && !c.wantsSends {
		return c.SendPrepared(ctx, p)
	}
	return c.events.handle(ctx, e)
}

// isPassedOver reports whether an error of an event does not end the connection.
func isPassedOver(err error) bool {
	return errors.Is(err, plumbing.ErrEventUnknown) || errors.Is(err, protocol.ErrEventPayload) || errors.Is(err, protocol.ErrDropped)
}
