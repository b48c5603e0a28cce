package protocol

import (
	"context"
	"net/http"
)

// Application decides who serves a connection. It does not run the connection:
// a call that lasted as long as its connection would cost each of them a
// goroutine. Routers are Applications, so they nest; consumer.New and
// consumer.Func make Applications.
//
// Open may be called by many goroutines at once. It may block, for as long as
// s.Context() lasts. It returns the handler of this one connection, or an error
// that refuses it: see [RejectError] for what the peer is told. It must not
// keep s.
//
// An application that routes may also have a method Find(s *Scope) error, which returns
// nil if there is a route for s, or the error that Open would return; it must not block.
// A protocol calls it before it checks the rest of the handshake, so that the faults of a
// request are always found in the same order.
type Application interface {
	// Open decides who serves the connection that s describes.
	Open(s *Scope) (Handler, error)
}

// ApplicationFunc makes an Application of a function.
type ApplicationFunc func(s *Scope) (Handler, error)

// Open calls f.
func (f ApplicationFunc) Open(s *Scope) (Handler, error) { return f(s) }

// finder is an [Application] that routes, and that can tell whether it has a route
// without opening the application behind it.
type finder interface{ Find(s *Scope) error }

// Middleware wraps an Application: it may change the scope, refuse the
// connection, or wrap the handler that the inner application returns.
type Middleware func(Application) Application

// Handler is the behaviour of one connection as the engine sees it. Most
// programs write a consumer instead, and get its Handler from consumer.New.
//
//  1. Connect, before the handshake is answered. nil accepts, an error refuses.
//  2. Receive for every message and Event for every layer event, in order.
//  3. Disconnect, exactly once, if and only if the connection was accepted, when the
//     functions of [Conn.Go] have returned or had ten seconds for it.
//
// The calls for one connection never overlap and may block; while one of them
// does, pings and the close handshake are still answered. ctx ends when the
// connection closes.
//
// When our side closes (because of what a callback returns, a panic, [Conn.Close], a
// limit, or shutdown), no callback but Disconnect starts any more, whether the peer has
// closed before, closes afterwards or not at all. What waits is dropped and counted
// ([Stats].MessagesUnread, EventsDropped). If only the peer has closed, or the connection
// broke, messages that the peer sent before are still handed over, for a second and up to
// 1000 of them, with a ctx that ends with that time; events are dropped. A
// callback that returns the error of a send or of ctx then changes nothing.
//
// What Receive and Event return: nil goes on; the error of [NewCloseError] closes with
// its code; [ErrDropped] goes on, because it was counted where it happened; any
// other error closes with [CloseInternalError], is logged, and is never shown
// to the peer. [ErrEventPayload] from Event is counted and goes on. A panic is logged with its
// stack and closes with CloseInternalError.
type Handler interface {
	// Connect decides. Its ctx has the values of the handshake's request as well,
	// which the ctx of later callbacks does not have.
	Connect(ctx context.Context, c *Conn) error
	// Receive handles one message. m.Data is valid until it returns.
	Receive(ctx context.Context, c *Conn, m Message) error
	// Event handles one event, on the connection's own goroutine or loop,
	// never on the sender's. Events are shared: it must not change e. Messages
	// of group sends wait until it returns; its own sends do not.
	Event(ctx context.Context, c *Conn, e *Event) error
	// Disconnect runs after the last callback. Sends to the peer fail with
	// ErrClosed by then. ctx is a fresh one, which ends after ten seconds. s is the
	// first close: if the peer closed, and Receive returned the error of NewCloseError
	// for a message from before, it is the peer's status, which is what went over the
	// wire.
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

// Protocol recognises the requests that speak it and carries their connections
// to the application that it was made with. A router.ProtocolTypeRouter asks
// its protocols in order; the first that matches serves.
//
// All methods may be called by many goroutines at once.
type Protocol interface {
	// Type is the Scope.Type of its connections, for example "websocket".
	Type() string
	// Match reports whether r asks for this protocol. It looks at its method,
	// URL and headers only, and does not block.
	Match(r *http.Request) bool
	// ServeHTTP answers the handshake and returns. It never keeps net/http's
	// goroutine for the life of the connection.
	http.Handler
	// Shutdown refuses new connections with 503, closes the open ones in paced
	// batches, with CloseGoingAway unless the protocol was given other
	// options, and returns when every Disconnect has
	// run or, with ctx's error, when ctx ends.
	Shutdown(ctx context.Context) error
}

// Wrap returns an application that opens connections with open, for middleware
// around next that leaves the path alone. It can be asked what next can be
// asked: its Find method finds what next finds.
func Wrap(next Application, open func(s *Scope) (Handler, error)) Application {
	return &wrapped{next: next, open: open}
}

type wrapped struct {
	next Application
	open func(s *Scope) (Handler, error)
}

func (w *wrapped) Open(s *Scope) (Handler, error) { return w.open(s) }

// Find asks next if it is a Finder. Otherwise there is a route, as far as is
// known.
func (w *wrapped) Find(s *Scope) error {
	if f, ok := w.next.(finder); ok {
		return f.Find(s)
	}
	return nil
}

// nobody handles a connection that is accepted to be told why it is closed.
type nobody struct{}

func (nobody) Connect(context.Context, *Conn) error           { return nil }
func (nobody) Receive(context.Context, *Conn, Message) error  { return nil }
func (nobody) Event(context.Context, *Conn, *Event) error     { return nil }
func (nobody) Disconnect(context.Context, *Conn, CloseStatus) {}
