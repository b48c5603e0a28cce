// Package protocol is the vocabulary that the other packages of Wye share. It does no
// I/O of its own; only a [RejectError] writes, to the http.ResponseWriter that it is
// given.
//
// The names are for four kinds of programs:
//
//   - Consumers: [Scope] (with [ParamAs] and [UserAs]), [Message] ([Text], [Binary],
//     [Kind]), [Event], [EventType] and [SendType], [CloseError], [CloseCode] and
//     [CloseStatus], [RejectError], [AcceptOptions], [Position], and the errors, such as
//     [ErrClosed] and [PanicError]. Package consumer has most of these names as well, so
//     that a consumer's file need not import this package.
//   - Configuration of servers: [Limits], [Overflow] and [Rate]; and what is counted:
//     [Stats] and [Traffic].
//   - Middleware: [Application], [ApplicationFunc], [Middleware], [Wrap], [Handler], [Conn],
//     [Prepare] and [Prepared]; [AsRejectError] and [CloseStatusOf] return how an error is
//     answered.
//   - Protocols: [Protocol], [Transport], [Session], [SessionOptions], [Counters] and
//     [NewScope]; and package admission. A Session calls the handler one callback at a
//     time, calls Disconnect once, contains panics and bounds its queues; a Transport only
//     moves bytes. The program examples/longpoll has a protocol of its own.
//
// # The life of a connection
//
//  1. A protocol recognises a request and describes it in a [Scope].
//  2. [Application.Open] returns the [Handler] of the connection: routers pass the scope
//     on, middleware changes or refuses it, and the innermost application returns the
//     handler.
//  3. [Handler.Connect] runs before the handshake is answered. nil accepts, an error
//     refuses, and a [RejectError] chooses the answer.
//  4. [Handler.Receive] runs for each message of the peer and [Handler.Event] for each
//     event of a channel layer, one at a time.
//  5. [Handler.Disconnect] runs exactly once, if and only if the connection was accepted;
//     then the functions given to [Conn.Defer] run.
//
// # Ownership of bytes
//
// The bytes of an incoming message belong to the engine and are valid until the callback
// that received them returns. No function of Wye keeps the bytes that it is given: when a
// send returns, the caller may use its buffer again.
package protocol
