package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Conn is a connection: it sends to the peer, joins groups and sends to them. All
// methods are safe for concurrent use, also after the connection has ended, when they
// return errors that match [ErrClosed].
type Conn struct {
	conn       *protocol.Conn
	layer      *layers.Layer
	values     plumbing.Values
	ctx        context.Context //nolint:containedctx // the connection's own, with values
	events     events          // the consumer's handlers
	wantsSends bool            // it handles protocol.SendType itself
	// disconnected says that Disconnect has been called: the connection was accepted.
	// Only callbacks and what runs after them use it.
	disconnected bool
	mu           struct { // of what follows; the layer is told under it to leave, and nothing that waits
		sync.Mutex
		membership
	}
}

// Context ends when the connection does, and has what layers.Middleware and other
// middleware put into the scope with WithValue. context.Cause tells how the
// connection ended. [Conn.Go] starts goroutines with it.
func (c *Conn) Context() context.Context { return c.ctx }

// Go is [protocol.Conn.Go]: it calls f on a goroutine of the connection's own. ctx is
// Context.
func (c *Conn) Go(f func(ctx context.Context) error) error {
	if f == nil {
		panic("wye: Conn.Go: the function is nil")
	}
	return c.conn.Go(func(context.Context) error { return f(c.ctx) })
}

// FinalContext is [protocol.Conn.FinalContext], with the values of Context.
func (c *Conn) FinalContext() context.Context { return c.bind(c.conn.FinalContext()) }

// bind returns a callback's ctx with the values. For most callbacks it is the
// connection's own, which needs no allocation.
func (c *Conn) bind(ctx context.Context) context.Context {
	if ctx == c.conn.Context() {
		return c.ctx
	}
	return c.values.Bind(ctx)
}

// Protocol returns the connection as protocols, layers and middleware see it.
func (c *Conn) Protocol() *protocol.Conn { return c.conn }

// Accept answers the handshake now, as o says; nil means the defaults. Returning nil
// from Connect does the same. Call Accept to choose a subprotocol or headers, or to go
// on working in Connect while the peer may already send, which waits until Connect has
// returned. Errors: [protocol.ErrAccepted] if the handshake is already answered; any
// other error means that the connection could not be accepted, and never will be.
func (c *Conn) Accept(o *AcceptOptions) error { return c.conn.Accept(o) }

// Send queues m for the peer and returns; nil means queued, not delivered. m.Data may
// be used again when Send has returned. Before the handshake is answered, messages
// wait behind the answer. Send does not block, except under protocol.OverflowBlock,
// where ctx bounds the wait; ctx never ends the connection.
//
// Errors: a *CloseError, which matches [ErrClosed], once the connection has ended;
// [ErrNotUTF8] for text that is not UTF-8, unless Limits.RepairText repairs it;
// [ErrDropped] or [ErrSlow] when the outgoing queue is full; protocol.ErrQueueFull when too
// much waits for the answer; ctx's.
func (c *Conn) Send(ctx context.Context, m Message) error { return c.conn.Send(ctx, m) }

// SendPrepared is Send for a message that many connections get: it is copied and
// encoded once for all of them.
func (c *Conn) SendPrepared(ctx context.Context, p *protocol.Prepared) error {
	return c.conn.SendPrepared(ctx, p)
}

// Close closes the connection with code and reason, behind what is queued, and returns.
// The first close has effect; later calls do nothing. Before the handshake is answered,
// Close refuses the connection.
func (c *Conn) Close(code CloseCode, reason string) { c.conn.Close(code, reason) }

// CloseWith closes the connection as a callback that returned err would, or with
// CloseNormal if err is nil. It is for code that runs beside the callbacks.
func (c *Conn) CloseWith(err error) { c.conn.CloseWith(err) }

// Defer calls f once when the connection is over: after Disconnect, or after the
// connection was refused. The last function given runs first. If the connection is
// over already, f is called at once. A panic in f is contained and logged.
func (c *Conn) Defer(f func()) { c.conn.Defer(f) }

// RTT returns how long the peer took to answer the last ping: the round trip of the
// network, and the time that the peer and proxies took. It is 0 before the first
// answer, and for protocols without pings.
func (c *Conn) RTT() time.Duration { return c.conn.RTT() }

// Traffic returns how many messages and bytes the connection has carried so far.
func (c *Conn) Traffic() protocol.Traffic { return c.conn.Traffic() }

// SendText queues a text message; see [Conn.Send].
func (c *Conn) SendText(ctx context.Context, s string) error { return c.Send(ctx, protocol.Text(s)) }

// SendJSON queues v, encoded by encoding/json, as a text message; see [Conn.Send]. If v
// cannot be encoded, SendJSON returns an error and sends nothing.
func (c *Conn) SendJSON(ctx context.Context, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("wye: SendJSON: %w", err)
	}
	return c.Send(ctx, Message{Data: b})
}

// GroupSend sends e to every member of group, this connection included if it is
// one; see [layers.Layer.GroupSend].
func (c *Conn) GroupSend(ctx context.Context, group string, e *protocol.Event) error {
	return c.layer.GroupSend(ctx, group, e)
}

// GroupSendOthers is GroupSend to all members but this connection.
func (c *Conn) GroupSendOthers(ctx context.Context, group string, e *protocol.Event) error {
	return c.layer.GroupSendExcept(ctx, group, e, (*member)(c))
}

// Broadcast sends m to the peers of all members of group, this one included if
// it is one, encoded once and without waking their consumers; see
// [layers.Layer.Broadcast]. Text that is not UTF-8 is repaired if Limits.RepairText
// says so for this connection; otherwise nobody gets it, and the error matches
// protocol.ErrNotUTF8.
func (c *Conn) Broadcast(ctx context.Context, group string, m Message) error {
	return c.broadcast(ctx, group, m, nil)
}

// BroadcastOthers is Broadcast to the peers of all members but this connection.
func (c *Conn) BroadcastOthers(ctx context.Context, group string, m Message) error {
	return c.broadcast(ctx, group, m, (*member)(c))
}

func (c *Conn) broadcast(ctx context.Context, group string, m Message, except layers.Member) error {
	err := c.layer.BroadcastExcept(ctx, group, m, except)
	if !errors.Is(err, protocol.ErrNotUTF8) {
		return err
	}
	if m, err = c.conn.ValidText(m); err != nil {
		return err
	}
	return c.layer.BroadcastExcept(ctx, group, m, except)
}

// Layer returns the connection's layer, for sends that have nothing to do with
// the connection.
func (c *Conn) Layer() *layers.Layer { return c.layer }

// member is a Conn as its layer sees it. It keeps the layer's methods out of Conn's.
type member Conn

var (
	_ layers.Member  = (*member)(nil)
	_ layers.Watcher = (*member)(nil)
	_ layers.Closer  = (*member)(nil)
)

// Close closes the connection for [layers.Layer.CloseGroup] and CloseChannel.
func (m *member) Close(code protocol.CloseCode, reason string) { m.conn.Close(code, reason) }

// Deliver has the connection's executor handle e. If it does not fit the session has
// counted it.
func (m *member) Deliver(e *protocol.Event) (yield bool) {
	_ = m.conn.Post(e) //nolint:errcheck // see above
	return m.conn.ShouldYield()
}

// Offer puts a ready message on the outgoing queue, or makes an event of it for
// a consumer that wants to see such messages. If it does not fit the session has
// counted it.
func (m *member) Offer(p *protocol.Prepared) (yield bool) {
	if m.wantsSends {
		return m.Deliver(p.Event())
	}
	_ = m.conn.Offer(p) //nolint:errcheck // see above
	return m.conn.ShouldYield()
}

// Watches has the layer tell the consumer about itself if it declared a handler
// for that.
func (m *member) Watches(typ string) bool { return m.events.wants(typ) }
