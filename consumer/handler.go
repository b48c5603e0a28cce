package consumer

import (
	"context"
	"fmt"
	"sync/atomic"
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

// application is what the connections of one application with one layer share.
type application struct {
	layer      *layers.Layer
	groups     []string // those of the option Groups
	linger     time.Duration
	wantsSends bool // there is a handler for protocol.SendType
	receive    messageFunc
	events     map[string]handlerFunc // by type
}

// These functions call a method of c's consumer.
type (
	messageFunc func(ctx context.Context, c *Conn, m Message) error
	handlerFunc func(ctx context.Context, c *Conn, e *Event) error
)

// wants reports whether there is a handler for events of typ.
func (a *application) wants(typ string) bool { return a.events[typ] != nil }

// with returns a, or a copy of it, that has the layer l.
func (a *application) with(l *layers.Layer) *application {
	if a.layer == l {
		return a
	}
	c := *a
	c.layer = l
	return &c
}

// newApplication returns an application whose consumers receive messages with receive.
func newApplication[C lifecycle](factory func(*Scope) C, receive receiveFunc[C], sp *spec[C]) Application {
	if factory == nil {
		panic("wye: consumer: the factory is nil")
	}
	var last atomic.Pointer[application] // of the last connection: nearly always that of the next one, too
	last.Store(describe(receive, sp))
	return protocol.ApplicationFunc(func(s *Scope) (protocol.Handler, error) {
		before := last.Load()
		app := before.with(layers.FromScope(s))
		if app != before {
			last.Store(app)
		}
		return &handler{app: app, user: factory(s), bound: scopes.Values(s).WithoutLayer().Bound()}, nil
	})
}

// describe returns the application without a layer.
func describe[C lifecycle](receive receiveFunc[C], sp *spec[C]) *application {
	events := make(map[string]handlerFunc, len(sp.events))
	for typ, handle := range sp.events {
		events[typ] = func(ctx context.Context, c *Conn, e *Event) error { return handle(userOf[C](c), ctx, c, e) }
	}
	return &application{
		groups: sp.groups, linger: sp.linger, wantsSends: sp.wants(protocol.SendType.Name), events: events,
		receive: func(ctx context.Context, c *Conn, m Message) error {
			user := userOf[C](c)
			err := receive(user, ctx, c, m)
			if err == errNoReceive { //nolint:errorlint,err113 // Base returns it as it is
				return sp.unread(user)
			}
			return err
		},
	}
}

// userOf returns c's consumer. C is the type that the factory of the application returns.
func userOf[C lifecycle](c *Conn) C { return c.user.(C) } //nolint:errcheck,forcetypeassert // see above

// handler is a Conn as the protocol.Handler of its connection. As a type of its own, it
// keeps the methods of a Handler out of Conn.
type handler Conn

func (h *handler) Connect(ctx context.Context, pc *protocol.Conn) error {
	c := (*Conn)(h)
	c.conn = pc
	if c.bound != nil {
		c.bound.Context = pc.Context()
	}
	if err := c.user.Connect(c.bind(ctx), c); err != nil {
		return err
	}
	if err := c.Join(ctx, c.app.groups...); err != nil {
		return errtext.Wrap("wye: joining the groups of consumer.Groups", err)
	}
	return nil
}

func (h *handler) Receive(ctx context.Context, _ *protocol.Conn, m Message) error {
	c := (*Conn)(h)
	return c.app.receive(c.bind(ctx), c, m)
}

func (h *handler) Event(ctx context.Context, _ *protocol.Conn, e *Event) error {
	c := (*Conn)(h)
	return c.handle(c.bind(ctx), e)
}

// handle calls the handler of e's type.
func (c *Conn) handle(ctx context.Context, e *Event) error {
	f := c.app.events[e.Type()]
	if f == nil {
		return plumbing.ErrEventUnknown
	}
	return f(withPosition(ctx, e), c, e)
}

func (h *handler) Disconnect(ctx context.Context, _ *protocol.Conn, s CloseStatus) {
	c := (*Conn)(h)
	c.mu.Lock()
	c.mu.disconnected = true
	c.mu.Unlock()
	c.user.Disconnect(c.bind(ctx), c, s)
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
