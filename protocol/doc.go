// Package protocol is the vocabulary that the other packages of Wye share. It does no
// I/O of its own; only a [RejectError] writes, to the http.ResponseWriter that it is
// given.
//
// Most programs meet these names through package consumer, which has them as well. Who
// needs which:
//
//   - Writing consumers: [Scope] (with [ParamAs] and [UserAs]), [Message] ([Text],
//     [Binary], [Kind]), [Event] and [EventType], [NewCloseError] and [CloseCode],
//     [NewRejectError], [CloseStatus], [AcceptOptions], [Position], [Prepared], and the
//     errors.
//   - Configuring servers: [Limits], [Overflow], [Rate], [Stats], [Traffic].
//   - Writing middleware: [Application], [ApplicationFunc], [Middleware], [Wrap], [Handler],
//     [Conn]; [AsRejectError] and [CloseStatusOf] say how an error is answered.
//   - Writing a protocol: [Protocol], [Transport], [Session] with [NewSession],
//     [SessionOptions] and [Counters], [NewScope]; and package admission. A Session keeps
//     all the promises (callbacks that never overlap, one Disconnect, contained panics,
//     bounded queues), so that a Transport only moves bytes. examples/longpoll is one.
//
// # The life of a connection
//
//  1. A protocol recognises a request and describes it in a [Scope].
//  2. [Application.Open] decides which handler serves it: routers pass the scope on,
//     middleware changes or refuses it, and the last application returns a [Handler].
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
// that they were lent to returns. No call of Wye keeps the bytes that it is given: when a
// send returns, the caller may use its buffer again.
package protocol
