package consumer

import (
	"context"
	"fmt"
	"reflect"
)

// Consumer serves one connection. Embed [Base] and declare the methods that you need.
//
// The calls for one connection never overlap, so fields need no lock. A call may block:
// pings and the close handshake are answered meanwhile.
//
//  1. Connect runs before the handshake is answered. If it returns nil, the connection
//     is accepted. If it returns an error, the connection is refused: with the status
//     that [NewRejectError] was given; with 403 for an error of [NewCloseError]; and for
//     most other errors with 500 and a line in the log. What Connect sends arrives right
//     after the handshake.
//  2. Receive runs for each message, and the handlers declared with [On] run for each
//     event. If one returns an error, the connection closes: with the code that
//     [NewCloseError] was given; with 1008 for [ErrInvalidName] and [ErrTooMany]; and
//     otherwise with 1011 and a line in the log. The peer does not see the text of the
//     error. [ErrDropped], which a send returns for a message that was dropped and
//     counted, keeps the connection open, and so does the error of a send to a group or
//     channel that did not reach other nodes (layers.ErrDown), also in Connect.
//  3. Disconnect runs exactly once for each accepted connection, also after an error or
//     a panic. Then the connection leaves its groups.
//
// After a callback has returned an error, or [Conn.Close] was called, neither Receive
// nor a handler starts again; messages and events that wait are dropped and counted. If
// only the peer has closed, the messages that it sent before are still received, for one
// second; the error of a send or of ctx then has no effect. See [protocol.Handler].
//
// ctx is done when the connection closes. In Connect, and only there, it has the values
// of the request's context. The ctx of Disconnect is a new one, which is done after ten
// seconds.
//
// The Django Channels counterpart is AsyncWebsocketConsumer, whose disconnect is not
// called after an exception.
type Consumer interface {
	// Connect decides whether to accept the connection. If it is refused, it leaves the
	// groups that it joined here.
	Connect(ctx context.Context, c *Conn) error
	// Receive handles one message. m.Data is valid until Receive returns: to keep it,
	// keep m.Text() or m.Clone().
	Receive(ctx context.Context, c *Conn, m Message) error
	// Disconnect runs once, after an accepted connection has closed. s says how it
	// closed. Sends to the peer fail; sends to groups do not.
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

// Base accepts every connection and reads no message. Consumers embed it, so that a
// method of theirs that has the wrong signature does not compile.
type Base struct{}

// Connect accepts the connection.
func (Base) Connect(context.Context, *Conn) error { return nil }

// Receive leaves the message unread. The message is counted in
// protocol.Stats.MessagesUnread, and the first one of each application is logged,
// because the reason may be a Receive with a misspelt name. A consumer that ignores
// messages declares a Receive that returns nil.
func (Base) Receive(context.Context, *Conn, Message) error { return errNoReceive }

// Disconnect does nothing.
func (Base) Disconnect(context.Context, *Conn, CloseStatus) {}

// New returns an application that calls factory for each connection and serves the
// connection with the consumer that factory returns.
//
// factory is called by many goroutines at once. It takes what it needs from the scope,
// for example s.Param("room"), and must not keep the scope. It may return the same
// value for several connections only if that value is safe for concurrent use.
//
// New panics if factory is nil, if an option is for JSON messages, or if C has a method
// ReceiveJSON, which [JSON] calls and New does not.
func New[C Consumer](factory func(*Scope) C, opts ...Option[C]) Application {
	refuseReceiveJSON(reflect.TypeFor[C]())
	sp := newSpec(opts)
	sp.json.refuse("consumer.New")
	return newApplication(factory, C.Receive, sp)
}

// refuseReceiveJSON panics if c has a method ReceiveJSON, which would never be called.
func refuseReceiveJSON(c reflect.Type) {
	if _, has := c.MethodByName("ReceiveJSON"); has {
		panic(fmt.Sprintf("wye: consumer.New: %v has a method ReceiveJSON, which New never calls; use consumer.JSON, or rename it", c))
	}
}

// ReceiveFunc returns an application that accepts every connection and calls f for each
// message, as [Consumer].Receive is called. f runs for many connections at once, but its
// calls for one connection never overlap. ReceiveFunc panics if f is nil.
func ReceiveFunc(f func(ctx context.Context, c *Conn, m Message) error) Application {
	if f == nil {
		panic("wye: consumer.ReceiveFunc: the function is nil")
	}
	return New(func(*Scope) receiver { return receiver{f: f} })
}

// receiver is the consumer of ReceiveFunc.
type receiver struct {
	Base
	f func(context.Context, *Conn, Message) error
}

func (r receiver) Receive(ctx context.Context, c *Conn, m Message) error { return r.f(ctx, c, m) }
