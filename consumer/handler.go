package consumer

import (
	"context"
	"time"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// life is what both kinds of consumer have in common.
type life interface {
	Connect(ctx context.Context, c *Conn) error
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

type receiveFunc[C any] func(C, context.Context, *Conn, Message) error

// build is New for any way to receive.
func build[C life](factory func(*Scope) C, receive receiveFunc[C], sp *spec[C]) protocol.Application {
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

// handler is one connection: the user's value and its Conn in one allocation.
type handler[C life] struct {
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
		return errtext.Wrap("wye: joining the consumer's groups", err)
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

func (h *handler[C]) Event(ctx context.Context, _ *protocol.Conn, e *protocol.Event) error {
	return h.handle(h.conn.bind(ctx), e)
}

// events are the event handlers of a consumer.
type events interface {
	wants(typ string) bool
	linger() time.Duration
	handle(ctx context.Context, e *protocol.Event) error
}

func (h *handler[C]) wants(typ string) bool { return h.spec.wants(typ) }

func (h *handler[C]) linger() time.Duration { return h.spec.linger }

// handle calls the handler of an event.
func (h *handler[C]) handle(ctx context.Context, e *protocol.Event) error {
	f := h.spec.events[e.Type()]
	if f == nil {
		return plumbing.ErrEventUnknown
	}
	if !e.Position().IsZero() {
		ctx = context.WithValue(ctx, positionKey{}, e)
	}
	return f(h.user, ctx, &h.conn, e)
}

func (h *handler[C]) Disconnect(ctx context.Context, _ *protocol.Conn, s CloseStatus) {
	h.conn.disconnected = true
	h.user.Disconnect(h.conn.bind(ctx), &h.conn, s)
}
