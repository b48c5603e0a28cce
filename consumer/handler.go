package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// lifecycle has the methods that Consumer and JSONConsumer share.
type lifecycle interface {
	Connect(ctx context.Context, c *Conn) error
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

// errNoReceive is what Base.Receive returns.
var errNoReceive = fmt.Errorf("%w", plumbing.ErrUnread)

// newApplication returns an application whose consumers receive messages with receive.
func newApplication[C lifecycle](factory func(*Scope) C, receive receiveFunc[C], sp *spec[C]) Application {
	if factory == nil {
		panic("wye: consumer: the factory is nil")
	}
	wantsSends := sp.wants(protocol.SendType.Name)
	return protocol.ApplicationFunc(func(s *Scope) (protocol.Handler, error) {
		h := &handler[C]{spec: sp, receive: receive, user: factory(s)}
		h.conn.layer = layers.FromScope(s)
		h.conn.events, h.conn.wantsSends = h, wantsSends
		h.conn.values = scopes.Values(s)
		return h, nil
	})
}

// handler is the protocol.Handler of one connection: the user's consumer and its Conn,
// in one allocation.
type handler[C lifecycle] struct {
	conn    Conn
	user    C
	spec    *spec[C]
	receive receiveFunc[C]
}

func (h *handler[C]) Connect(ctx context.Context, c *protocol.Conn) error {
	h.conn.conn, h.conn.ctx = c, h.conn.values.Bind(c.Context())
	if err := h.user.Connect(h.conn.bind(ctx), &h.conn); err != nil {
		return err
	}
	if err := h.conn.Join(ctx, h.spec.groups...); err != nil {
		return errtext.Wrap("wye: joining the groups of consumer.Groups", err)
	}
	return nil
}

func (h *handler[C]) Receive(ctx context.Context, _ *protocol.Conn, m Message) error {
	err := h.receive(h.user, h.conn.bind(ctx), &h.conn, m)
	if err == errNoReceive { //nolint:errorlint,err113 // Base returns it as it is
		return h.spec.unread(h.user)
	}
	return err
}

func (h *handler[C]) Event(ctx context.Context, _ *protocol.Conn, e *Event) error {
	return h.handle(h.conn.bind(ctx), e)
}

func (h *handler[C]) wants(typ string) bool { return h.spec.wants(typ) }

func (h *handler[C]) linger() time.Duration { return h.spec.linger }

// handle calls the handler of e's type.
func (h *handler[C]) handle(ctx context.Context, e *Event) error {
	f := h.spec.events[e.Type()]
	if f == nil {
		return plumbing.ErrEventUnknown
	}
	return f(h.user, withPosition(ctx, e), &h.conn, e)
}

func (h *handler[C]) Disconnect(ctx context.Context, _ *protocol.Conn, s CloseStatus) {
	h.conn.disconnected = true
	h.user.Disconnect(h.conn.bind(ctx), &h.conn, s)
}

type positionKey struct{}

// withPosition returns the ctx of the handler of e.
func withPosition(ctx context.Context, e *Event) context.Context {
	if e.Position().IsZero() {
		return ctx
	}
	return context.WithValue(ctx, positionKey{}, e)
}

// PositionOf returns the position, in its group's history, of the event that is being
// handled. ctx is the one that the handler was called with. For an event that was not
// recorded, and for any other ctx, it returns the zero value. Send the position to the
// peer: a peer that connects again brings it back, and [Conn.JoinFrom] continues after
// it.
func PositionOf(ctx context.Context) Position {
	if e, ok := ctx.Value(positionKey{}).(*Event); ok {
		return e.Position()
	}
	return Position{}
}
