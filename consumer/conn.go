package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Conn is a connection as consumers see it: [protocol.Conn] plus groups, a
// channel name and JSON. All methods are safe for use by several goroutines,
// also after the connection has ended, when they return errors that match
// protocol.ErrClosed.
type Conn struct {
	*protocol.Conn
	layer      *layers.Layer
	values     protocol.Values
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

// Context ends when the connection does, and has what layers.Use and other
// middleware put into the scope with WithValue. context.Cause tells how the
// connection ended. [Conn.Go] starts goroutines with it.
func (c *Conn) Context() context.Context { return c.ctx }

// Go is [protocol.Conn.Go]: it calls f on a goroutine of the connection's own. ctx is
// Context.
func (c *Conn) Go(f func(ctx context.Context) error) error {
	if f == nil {
		panic("wye: Conn.Go: the function is nil")
	}
	return c.Conn.Go(func(context.Context) error { return f(c.ctx) })
}

// FinalContext is [protocol.Conn.FinalContext], with the values of Context.
func (c *Conn) FinalContext() context.Context { return c.bind(c.Conn.FinalContext()) }

// bind returns a callback's ctx with the values. For most callbacks it is the
// connection's own, which needs no allocation.
func (c *Conn) bind(ctx context.Context) context.Context {
	if ctx == c.Conn.Context() {
		return c.ctx
	}
	return c.values.Bind(ctx)
}

// SendText queues a text message; see [protocol.Conn.Send].
func (c *Conn) SendText(ctx context.Context, s string) error { return c.Send(ctx, protocol.Text(s)) }

// SendJSON queues v, encoded by encoding/json, as a text message; see
// [protocol.Conn.Send]. A v that cannot be encoded is an error, and nothing is
// sent.
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
// [layers.Layer.Broadcast]. Text that is not UTF-8 is repaired if Limits.InvalidText
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
	if m, err = c.ValidText(m); err != nil {
		return err
	}
	return c.layer.BroadcastExcept(ctx, group, m, except)
}

// Layer returns the connection's layer, for sends that have nothing to do with
// the connection.
func (c *Conn) Layer() *layers.Layer { return c.layer }

// member is a Conn as its layer sees it. It keeps Deliver out of Conn's methods.
type member Conn

// Deliver has the consumer's strand handle e. If it does not fit the session has
// counted it.
func (m *member) Deliver(e *protocol.Event) (yield bool) {
	_ = m.Post(e) //nolint:errcheck // see above
	return m.ShouldYield()
}

// Offer puts a ready message on the outgoing queue, or makes an event of it for
// a consumer that wants to see such messages. If it does not fit the session has
// counted it.
func (m *member) Offer(p *protocol.Prepared) (yield bool) {
	if m.wantsSends {
		return m.Deliver(p.Event())
	}
	_ = m.Conn.Offer(p) //nolint:errcheck // see above
	return m.ShouldYield()
}

// Watches has the layer tell the consumer about itself if it declared a handler
// for that.
func (m *member) Watches(typ string) bool { return m.events.wants(typ) }
