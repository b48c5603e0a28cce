// Package protocol is the vocabulary that every other package of Wye speaks.
// It does no I/O of its own: a [RejectError] writes to the http.ResponseWriter that
// it is given, and that is all.
//
// Two groups of people read it. Whoever writes applications needs
// [Application], [Scope], [Message], [EventType], [NewCloseError] and [NewRejectError]; most of
// them meet these through package consumer. Whoever teaches Wye another
// protocol needs [Protocol], [Transport] and [Session] as well: a Session keeps
// all the promises (callbacks that never overlap, one Disconnect, contained
// panics, bounded queues), so that a Transport only moves bytes.
//
// # The life of a connection
//
//  1. A protocol recognises a request and describes it in a [Scope].
//  2. [Application.Open] decides who serves it: routers pass the scope on,
//     middleware changes or refuses it, and at the end stands a [Handler].
//  3. [Handler.Connect] runs before the handshake is answered. nil accepts, an
//     error refuses, and a [RejectError] chooses the answer.
//  4. [Handler.Receive] runs for each message of the peer and [Handler.Event]
//     for each event of a channel layer, one at a time.
//  5. [Handler.Disconnect] runs exactly once, if and only if the connection was
//     accepted; then the functions given to [Conn.Defer] run.
//
// # Whose bytes
//
// Incoming bytes belong to the engine and are valid until the callback that
// they were lent to returns. No call of Wye keeps the bytes it is given: when a
// send returns, the caller may use its buffer again.
package protocol
