package protocol

import (
	"context"
	"net/http"
)

// Application returns a handler for each connection. Routers are Applications, so that
// they nest; consumer.New and consumer.Func make Applications.
//
// Open returns the handler of one connection, or an error that refuses the connection: see
// [RejectError] for the answer that the peer gets. It does not run the connection. Open
// may be called by many goroutines at once. It may block until s.Context() is done. It
// must not keep s.
//
// An application that routes may also have a method Find(s *Scope) error. Find returns nil
// if there is a route for s, and otherwise the error that Open would return; it must not
// block. A protocol calls Find before it checks the rest of the handshake, so that the
// faults of a request are always found in the same order.
type Application interface {
	// Open returns the handler of the connection that s describes.
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

// Handler has the callbacks of one connection. Most programs write a consumer instead, and
// consumer.New makes its Handler. The callbacks are, in this order:
//
//  1. Connect, before the handshake is answered. nil accepts, an error refuses.
//  2. Receive for every message and Event for every event of a layer, in order.
//  3. Disconnect, exactly once, if and only if the connection was accepted. It runs when
//     the functions of [Conn.Go] have returned, or after ten seconds.
//
// The callbacks of one connection never overlap. They may block: meanwhile pings and the
// close handshake are still answered. ctx ends when the connection closes.
//
// When the server's side closes the connection (because of what a callback returns, a
// panic, [Conn.Close], a limit, or shutdown), only Disconnect is still called, even if the
// peer has closed before. Messages and events that wait are dropped and counted
// ([Stats].MessagesUnread, EventsDropped). If only the peer has closed, or the connection
// broke, Receive is still called for messages that the peer sent before, for up to a
// second and for up to 1000 messages, with a ctx that ends with that second; events are
// dropped. If a callback then returns the error of a send or of ctx, it has no effect.
//
// The result of Receive and Event has this effect:
//
//   - nil, and [ErrDropped], which has been counted: the connection stays open.
//   - The error of [NewCloseError]: the connection is closed with its code.
//   - The error of a send that did not reach other nodes, because the back end of the layer
//     is down (layers.ErrDown): it is counted and logged, and the connection stays open.
//   - [ErrEventPayload] from Event: it is counted and logged, and the connection stays open.
//   - [ErrInvalidName] and [ErrTooMany]: the connection is closed with
//     [ClosePolicyViolation], and the log has a warning.
//   - Another error, or a panic: it is logged, and the connection is closed with
//     [CloseInternalError]. The peer does not see the error.
type Handler interface {
	// Connect decides whether the connection is accepted. Only its ctx has the values of
	// the request's context; the ctx of later callbacks does not have them.
	Connect(ctx context.Context, c *Conn) error
	// Receive handles one message. m.Data is valid until it returns.
	Receive(ctx context.Context, c *Conn, m Message) error
	// Event handles one event, never on the sender's goroutine. Connections share events:
	// it must not change e. Messages of group sends to this connection wait until Event
	// returns; its own sends do not.
	Event(ctx context.Context, c *Conn, e *Event) error
	// Disconnect runs after the last Receive and Event. Sends to the peer fail with
	// ErrClosed. ctx is a new one, which ends after ten seconds. s is the status of the
	// first close: if the peer closed first, it is the peer's status, even if Receive
	// returned the error of NewCloseError afterwards.
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

// Protocol recognises its requests and carries their connections to the application that
// it was made with. A router.ProtocolTypeRouter calls Match of its protocols in order; the
// first one that returns true serves the request.
//
// All methods may be called by many goroutines at once.
type Protocol interface {
	// Type is the Scope.Type of its connections, for example "websocket".
	Type() string
	// Match reports whether r asks for this protocol. It reads only the method, the URL
	// and the headers, and does not block.
	Match(r *http.Request) bool
	// ServeHTTP answers the handshake and returns. It never keeps net/http's
	// goroutine for the life of the connection.
	http.Handler
	// Shutdown refuses new connections with 503, and closes the open ones in batches that
	// are spread over time, by default with CloseGoingAway. It returns nil when every
	// Disconnect has returned, or ctx's error when ctx is done.
	Shutdown(ctx context.Context) error
}

// Wrap returns an application whose Open is open. It is for middleware around next that
// does not change the path: the application's Find method calls that of next, if next has
// one, and otherwise returns nil.
func Wrap(next Application, open func(s *Scope) (Handler, error)) Application {
	return &wrapped{next: next, open: open}
}

type wrapped struct {
	next Application
	open func(s *Scope) (Handler, error)
}

func (w *wrapped) Open(s *Scope) (Handler, error) { return w.open(s) }

// Find calls next's Find, if it has one. Otherwise there is a route, as far as is known.
func (w *wrapped) Find(s *Scope) error {
	if f, ok := w.next.(finder); ok {
		return f.Find(s)
	}
	return nil
}

// closingHandler is the handler of a connection that is accepted only to be closed with a
// code that the peer sees: see CloseError.AcceptFirst.
type closingHandler struct{}

func (closingHandler) Connect(context.Context, *Conn) error           { return nil }
func (closingHandler) Receive(context.Context, *Conn, Message) error  { return nil }
func (closingHandler) Event(context.Context, *Conn, *Event) error     { return nil }
func (closingHandler) Disconnect(context.Context, *Conn, CloseStatus) {}
