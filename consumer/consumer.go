package consumer

import (
	"context"
	"fmt"
	"reflect"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// Consumer is one value per connection. Embed [Base] and write the methods you
// need. Calls never overlap, so fields need no lock; they may block.
//
//  1. Connect, before the handshake is answered: nil accepts, an error refuses
//     (protocol.NewRejectError chooses how). ctx has the request's values here, and only
//     here. What is sent now arrives right after the handshake.
//  2. Receive for each message, and the functions given to [On] for each event.
//     A returned error closes: with the code of protocol.NewCloseError, otherwise with
//     1011, a line in the log, and nothing of it for the peer to see. After
//     that, or c.Close, neither is called again, whatever waits and whether or
//     not the peer has closed as well: see [protocol.Handler].
//  3. Disconnect, exactly once for each accepted connection, with a fresh ctx
//     that has a deadline; then the connection leaves its groups.
//
// ctx ends when the connection does. In Django Channels this is
// AsyncWebsocketConsumer, except that there disconnect is not called after an
// exception.
type Consumer interface {
	// Connect decides whether to accept. Groups joined here are left again
	// if the connection is refused.
	Connect(ctx context.Context, c *Conn) error
	// Receive handles a message. m.Data is lent until it returns: keep
	// m.Text() or m.Clone().
	Receive(ctx context.Context, c *Conn, m Message) error
	// Disconnect runs once, after an accepted connection has closed. Sends to the
	// peer fail; those to groups do not.
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

// Base accepts every connection and reads no message. Embedding it makes a method
// with a wrong signature a compile error rather than a method that is never
// called.
type Base struct{}

// errNoReceive is what Base.Receive returns.
var errNoReceive = fmt.Errorf("%w", plumbing.ErrUnread)

// Connect accepts.
func (Base) Connect(context.Context, *Conn) error { return nil }

// Receive leaves the message unread: it is counted as protocol.Stats.MessagesUnread,
// and the first one of each application made by [New] is logged, because a Receive
// with a misspelt name looks like this. A consumer that expects messages and has no
// use for them declares a Receive that returns nil.
func (Base) Receive(context.Context, *Conn, Message) error { return errNoReceive }

// Disconnect does nothing.
func (Base) Disconnect(context.Context, *Conn, CloseStatus) {}

// New returns the application that makes a C for each connection. factory may
// be called by many goroutines at once; it takes what it needs from the scope,
// for example s.Param("group"), and must not keep the scope. It may return the
// same value for several connections only if that value is safe for concurrent
// use. New panics if C has a method ReceiveJSON, which [JSON] calls and New does not.
func New[C Consumer](factory func(*Scope) C, opts ...Option[C]) protocol.Application {
	refuseReceiveJSON(reflect.TypeFor[C]())
	sp := newSpec(opts)
	sp.json.refuse("consumer.New")
	return build(factory, C.Receive, sp)
}

// refuseReceiveJSON panics over a consumer whose messages would reach nobody.
func refuseReceiveJSON(c reflect.Type) {
	if _, has := c.MethodByName("ReceiveJSON"); has {
		panic(fmt.Sprintf("wye: consumer.New: %v has a method ReceiveJSON, which New never calls; use consumer.JSON, or rename it", c))
	}
}

// Receive is the smallest consumer: it calls f for each message. f is called by
// many goroutines at once, but never twice at once for one connection.
func ReceiveFunc(f func(ctx context.Context, c *Conn, m Message) error) protocol.Application {
	if f == nil {
		panic("wye: consumer.ReceiveFunc: the function is nil")
	}
	return New(func(*Scope) receiver { return receiver{f: f} })
}

type receiver struct {
	Base
	f func(context.Context, *Conn, Message) error
}

func (r receiver) Receive(ctx context.Context, c *Conn, m Message) error { return r.f(ctx, c, m) }
