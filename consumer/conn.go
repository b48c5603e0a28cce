package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Conn is the connection that a consumer's callbacks receive. It sends to the peer,
// joins groups, and sends to groups.
//
// All methods are safe for concurrent use. They may be called after the connection has
// closed: sends to the peer, and joining groups, then return an error that matches
// [ErrClosed]; sends to groups still work.
type Conn struct {
	conn  *protocol.Conn
	app   *application // what it shares with other connections; beside conn: group sends touch little memory
	user  lifecycle
	bound *plumbing.Bound // the connection's own context, with the values of middleware; nil if there are none
	mu    struct {        // guards membership; the layer is called under it only to leave and bind, which does not block
		sync.Mutex
		membership
	}
}

// Context returns the context of the connection, with the values that middleware added
// by Scope.WithValue. The context is done when the connection closes; context.Cause then
// returns a *[CloseError] that says how. [Conn.Go] starts goroutines with it.
func (c *Conn) Context() context.Context {
	if c.bound != nil {
		return c.bound
	}
	return c.conn.Context()
}

// Go calls f on a new goroutine of the connection, and returns without waiting for it.
// Use it for work that takes long, so that the callbacks go on.
//
// ctx is [Conn.Context]. When it is done, f must return: Disconnect waits for f, for ten
// seconds at most, and may then use without a lock what f has used. If f returns nil,
// only the goroutine ends. If f returns an error or panics, the connection closes as
// after a callback that does.
//
// Go returns an error, and does not call f, if the connection has closed ([ErrClosed])
// or if as many functions are running as Limits.Goroutines allows
// ([ErrTooMany]). It panics if f is nil.
func (c *Conn) Go(f func(ctx context.Context) error) error {
	if f == nil {
		panic("wye: Conn.Go: the function is nil")
	}
	return c.conn.Go(func(context.Context) error { return f(c.Context()) })
}

// FinalContext returns a context for a callback that has to finish its work after the
// peer has closed the connection. The context is done one second after the first call of
// FinalContext, or earlier: when every message that the peer sent before its close has
// been handled, or when the server closes the connection. While the connection is open,
// and when no such message is left, FinalContext returns what Context returns.
func (c *Conn) FinalContext() context.Context { return c.bind(c.conn.FinalContext()) }

// bind returns ctx, the context of a callback, with the values of middleware. For most
// callbacks ctx is the connection's own, so that bind allocates nothing.
func (c *Conn) bind(ctx context.Context) context.Context {
	if c.bound != nil && ctx == c.bound.Context {
		return c.bound
	}
	return c.bound.Bind(ctx)
}

// Protocol returns the connection as protocols, layers and middleware use it.
func (c *Conn) Protocol() *protocol.Conn { return c.conn }

// Accept accepts the connection: it answers the handshake, with the subprotocol and the
// headers of o. A nil o means the defaults. Connect need not call Accept: returning nil
// accepts with the defaults. After Accept the peer may send, and its messages wait until
// Connect has returned.
//
// If the handshake has been answered already, Accept returns an error and has no effect.
// After any other error the connection cannot be accepted.
func (c *Conn) Accept(o *AcceptOptions) error { return c.conn.Accept(o) }

// Send queues m for the peer and returns. A nil error means that m is queued, not that
// it is delivered. Messages that are sent before the handshake is answered follow the
// answer. m.Data may be used again when Send has returned.
//
// Send does not block, unless Limits.Overflow is protocol.OverflowBlock: then it waits
// for room in the queue until ctx is done. ctx never closes the connection.
//
// Errors: a *[CloseError], which matches [ErrClosed], once the connection has closed;
// [ErrNotUTF8] if m is text that is not UTF-8, unless Limits.RepairText is set;
// [ErrDropped] or [ErrSlow] if the outgoing queue is full; [ErrQueueFull] if too much is
// queued before the handshake is answered; the error of ctx.
func (c *Conn) Send(ctx context.Context, m Message) error { return c.conn.Send(ctx, m) }

// SendPrepared is Send for a message that many connections receive. protocol.Prepare
// copies and encodes it once for all of them.
func (c *Conn) SendPrepared(ctx context.Context, p *Prepared) error {
	return c.conn.SendPrepared(ctx, p)
}

// Close closes the connection with code and reason, after sending what is queued. It
// returns at once. Only the first close has an effect. Before the handshake is answered,
// Close refuses the connection.
func (c *Conn) Close(code CloseCode, reason string) { c.conn.Close(code, reason) }

// CloseWith closes the connection as a callback that returned err would, or with
// CloseNormal if err is nil. It is for code that runs beside the callbacks.
func (c *Conn) CloseWith(err error) { c.conn.CloseWith(err) }

// Defer calls f once, after Disconnect has returned or the connection was refused. If
// that has happened already, f is called at once. Functions run in the reverse order of
// the calls of Defer. A panic in f is recovered and logged.
func (c *Conn) Defer(f func()) { c.conn.Defer(f) }

// RTT returns the round-trip time of the last ping that the peer answered, which
// includes the time that proxies and the peer's program took. It is 0 before the first
// answer, and for protocols without pings.
func (c *Conn) RTT() time.Duration { return c.conn.RTT() }

// Traffic returns how many messages and bytes the connection has carried so far.
func (c *Conn) Traffic() protocol.Traffic { return c.conn.Traffic() }

// SendText queues a text message; see [Conn.Send].
func (c *Conn) SendText(ctx context.Context, s string) error { return c.Send(ctx, lentText(s)) }

// lentText is protocol.Text without the copy, for a send: transports neither keep nor
// change the bytes.
func lentText(s string) Message {
	return Message{Data: unsafe.Slice(unsafe.StringData(s), len(s))} //nolint:gosec // see above
}

// SendJSON queues v, encoded by encoding/json, as a text message; see [Conn.Send]. If v
// cannot be encoded, SendJSON returns an error and sends nothing.
func (c *Conn) SendJSON(ctx context.Context, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("wye: SendJSON: %w", err)
	}
	return c.Send(ctx, Message{Data: b})
}

// GroupSend sends e to every member of group, including this connection if it is a
// member. The members' handlers, which [On] declares, receive it. GroupSend does not
// wait for them: when it returns, e is queued for the members in this process.
//
// Errors: [ErrInvalidName]; a payload that cannot be encoded; the error of ctx;
// layers.ErrDown if other nodes cannot be reached, in which case the members in this
// process have received e. See [layers.Layer.GroupSend].
func (c *Conn) GroupSend(ctx context.Context, group string, e *Event) error {
	return c.app.layer.GroupSend(ctx, group, e)
}

// GroupSendOthers is GroupSend to all members except this connection.
func (c *Conn) GroupSendOthers(ctx context.Context, group string, e *Event) error {
	return c.app.layer.GroupSendExcept(ctx, group, e, (*member)(c))
}

// Broadcast sends m to the peer of every member of group, including this connection's
// peer if it is a member. m is encoded once and goes to the peers' queues; consumers do
// not see it, unless they handle [SendType].
//
// If m is text that is not UTF-8, no peer receives it and the error matches
// [ErrNotUTF8], unless Limits.RepairText is set for this connection. The other errors
// are those of GroupSend. See [layers.Layer.Broadcast].
func (c *Conn) Broadcast(ctx context.Context, group string, m Message) error {
	return c.broadcast(ctx, group, m, nil)
}

// BroadcastOthers is Broadcast to the peers of all members except this connection.
func (c *Conn) BroadcastOthers(ctx context.Context, group string, m Message) error {
	return c.broadcast(ctx, group, m, (*member)(c))
}

func (c *Conn) broadcast(ctx context.Context, group string, m Message, except layers.Member) error {
	err := c.app.layer.BroadcastExcept(ctx, group, m, except)
	if !errors.Is(err, protocol.ErrNotUTF8) {
		return err
	}
	if m, err = c.conn.ValidText(m); err != nil {
		return err
	}
	return c.app.layer.BroadcastExcept(ctx, group, m, except)
}

// Layer returns the connection's layer, for sends that have nothing to do with
// the connection.
func (c *Conn) Layer() *layers.Layer { return c.app.layer }

// member is a Conn as its layer uses it. As a type of its own, it keeps the methods of
// layers.Member out of Conn.
type member Conn

var (
	_ layers.Member  = (*member)(nil)
	_ layers.Watcher = (*member)(nil)
	_ layers.Closer  = (*member)(nil)

	_ plumbing.Leaver = (*member)(nil)
)

// Close closes the connection, for layers.Layer.CloseGroup and CloseChannel.
func (m *member) Close(code CloseCode, reason string) { m.conn.Close(code, reason) }

// LeaveAll is called when the connection is over.
func (m *member) LeaveAll() { (*Conn)(m).leaveAll() }

// Deliver queues e for the connection's handlers. If the mailbox is full, the session has
// counted e as dropped.
func (m *member) Deliver(e *Event) (yield bool) {
	_ = m.conn.Post(e) //nolint:errcheck // see above
	return m.conn.ShouldYield()
}

// Offer adds p to the outgoing queue. If the consumer declared a handler for SendType, the
// handler receives p as an event instead. If the queue is full, the session has counted p
// as dropped.
func (m *member) Offer(p *protocol.Prepared) (yield bool) {
	if m.app.wantsSends {
		return m.Deliver(p.Event())
	}
	_ = m.conn.Offer(p) //nolint:errcheck // see above
	return m.conn.ShouldYield()
}

// Watches reports whether the consumer declared a handler for events of this type, which
// the layer itself sends.
func (m *member) Watches(typ string) bool { return m.app.wants(typ) }
