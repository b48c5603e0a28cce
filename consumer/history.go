package consumer

import (
	"context"
	"errors"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Record sends e to every member of group, including this connection if it is a member,
// and keeps it in the group's history, from which [Conn.JoinFrom] reads. k bounds the
// history; its zero value means the defaults. Record returns the position of e in the
// history.
//
// Errors: those of [layers.Layer.Record]; [ErrTooMany] if the connection has
// recorded to as many other groups as Limits.Groups allows. Leaving a group does not
// make room for another one, because a history outlives the connection.
// c.Layer().Record does not have this limit.
func (c *Conn) Record(ctx context.Context, group string, e *Event, k Retention) (Position, error) {
	entry, err := c.startRecord(group)
	if err != nil {
		return Position{}, err
	}
	position, err := c.app.layer.Record(ctx, group, e, k)
	c.finishRecord(entry, err)
	return position, err
}

// startRecord counts group as one that the connection records to. The entry is nil if
// the connection is over: then nothing is counted.
func (c *Conn) startRecord(group string) (*groupEntry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.leftAll {
		return nil, nil //nolint:nilnil // see above
	}
	x := c.mu.extras()
	if x.recorded == nil {
		x.recorded = new(groupSet)
	}
	return x.recorded.startCall(group, c.conn.MayJoin)
}

func (c *Conn) finishRecord(e *groupEntry, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.mu.extra; e != nil && x.recorded != nil {
		x.recorded.finishCall(e, err)
	}
}

// JoinFrom is [Conn.Join] for a peer that comes back. It makes the connection a member of
// group, and returns the events that were recorded after the position r.After and are
// still kept; if r.Limit is set, only the last r.Limit of them. The peer brings the
// position back: see [PositionOf].
//
// No handler has received the returned events; pass them to [Conn.Replay]. The handlers
// receive the events that are recorded later. No event is missing or received twice.
//
// Call JoinFrom in Connect or another callback: later events wait until the callback has
// returned. In the function of [Func] they do so only before the connection is accepted.
//
// If the connection is a member already, it stays one, and JoinFrom returns the events
// that it may have missed, for example before a [Gap]. Then events that already wait for
// the handlers may be among those returned, and be received twice. They may also be of an
// old history, if the history was lost and started anew meanwhile. To exclude both, close
// the connection and let the peer connect again.
//
// On an error the connection is not a member, except that layers.ErrJoining changes
// nothing. Errors: those of [layers.Layer.JoinFrom]; [ErrTooMany] as in Join; [ErrClosed]
// if the connection is over.
func (c *Conn) JoinFrom(ctx context.Context, group string, r Range) (History, error) {
	e, _, err := c.startJoin(group)
	if err != nil {
		return History{}, err
	}
	h, err := c.app.layer.JoinFrom(ctx, group, (*member)(c), r)
	if err != nil && !errors.Is(err, layers.ErrJoining) {
		c.mu.Lock()
		c.mu.groups.remove(e)
		c.mu.Unlock()
	}
	return h, c.finishJoin(e, err)
}

// Replay handles the events that [Conn.JoinFrom] has returned as if they had just
// arrived: it calls the consumer's handler for each, in order. A message for the peer is
// sent, unless there is a handler for [SendType]. [PositionOf] works in the
// handlers. Call Replay in a callback; see the Example of JoinFrom.
//
// Events without a handler, and events whose payload does not fit, are skipped. Replay
// returns the first other error of a handler or a send, except [ErrDropped], and handles
// no event after it. In Connect, call [Conn.Accept] first if the events may be more than
// fit the queue before the answer ([ErrQueueFull]).
func (c *Conn) Replay(ctx context.Context, events []*Event) error {
	for _, e := range events {
		if err := c.replayEvent(ctx, e); err != nil && !isSkipped(err) {
			return err
		}
	}
	return nil
}

func (c *Conn) replayEvent(ctx context.Context, e *Event) error {
	if p := e.Prepared(); p != nil && !c.app.wantsSends {
		return c.SendPrepared(ctx, p)
	}
	return c.handle(ctx, e)
}

// isSkipped reports whether Replay continues after err.
func isSkipped(err error) bool {
	return errors.Is(err, plumbing.ErrEventUnknown) || errors.Is(err, protocol.ErrEventPayload) || errors.Is(err, ErrDropped)
}
