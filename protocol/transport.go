package protocol

import (
	"net/http"
	"time"
)

// Transport carries one connection. A protocol implements it, and a [Session] calls it.
// Send, SendPrepared and Close may be called by several goroutines at once. The methods
// must not wait for the peer, and must not keep or change the bytes that they are given. They must not
// call the Session before they return, with these exceptions: Accept may call
// Session.Limits, and start goroutines that call the Session; sends may call
// Session.Conflated, Session.QueueAdmits and Session.QueueDrained.
//
// A send of a message with a Key replaces an earlier message with the same key that is
// queued and not yet being written, as [Message] says; a transport whose queue cannot do
// that sends both.
//
// A Transport may also have the following methods. If it has them, the Session uses them:
//
//   - Schedule() has the transport call Session.Run soon: on another goroutine, or later on
//     the same one, for example on that of an event loop. It must not block. It may be
//     called by any goroutine, but not again before Run has returned false, unless a
//     callback has ended the goroutine of Run (runtime.Goexit): then Schedule is called
//     while that goroutine ends. The transport must call Run even if the connection has
//     closed, because Disconnect may be due. Without this method the Session starts a
//     goroutine.
//   - Busy() is called by Receive, on the goroutine that has called Receive and without a
//     lock, before it runs a callback there. It is for transports that go on reading while
//     a callback runs: after Busy, another goroutine may call Receive before the first
//     call has returned, and the messages stay in order.
//   - DropOldest(n int) (dropped int) drops queued messages of which nothing has been
//     written, the oldest first, until a message of n bytes (its payload, and what its Key
//     counts) fits or none is left. It returns how many it has dropped. It does not drop
//     control frames, such as pongs. Without this method OverflowDropOldest drops the
//     newest message.
//   - WillWait() is called by the functions of this module before they wait: a send under
//     OverflowBlock, a layer's call that waits for a driver, the hand-over of a message to
//     the loop of a consumer.Func. If a callback runs on the goroutine of an event loop,
//     the transport has another goroutine go on with the loop before it returns. Functions
//     that are given a context call WillWait only if it is that of a callback, or derived
//     from it. Any goroutine may call it, also one that runs no callback, and then it must
//     do no harm.
//   - WillWork() is called in the same way before a callback works for long without
//     waiting: before it sends to a group of many thousands. It has an effect only if the
//     transport has WillWait, too.
//   - Settled() is called once, like a function of [Conn.Defer] that was given before all
//     others: after Disconnect, or when the connection was refused. It takes no memory
//     until then.
//   - RTT() time.Duration returns the last round trip, or 0 before the first.
//   - Sent() (messages, bytes int64) returns how many messages have been queued, also if
//     they were dropped or replaced later, and their bytes of payload. It is for
//     [Conn.Traffic], and may be called at any time.
//   - LogValue, of slog.LogValuer, names the connection in log lines.
type Transport interface {
	// Accept accepts the handshake and starts reading. Session.Limits no longer change
	// when it is called. It is called once at most. If it returns an error, the
	// connection is refused with 500.
	Accept(o AcceptOptions) error
	// Reject answers the handshake with e. It is called once at most, by Session.Open, and
	// not after an Accept that has returned nil.
	Reject(e *RejectError)
	// Send queues a message. It returns ErrQueueFull, and does not queue the message, if
	// the outgoing queue is full (see [Session.QueueAdmits]); then the transport must be
	// writing, and call Session.Drained when there is room. It returns ErrClosed if
	// nothing more can be sent.
	Send(m Message) error
	// SendPrepared is Send for a message that is shared with other
	// connections. The transport may keep what p.Share returns, but not p.
	SendPrepared(p *Prepared) error
	// Close sends a close behind the queued messages; then the transport sends nothing
	// more. It is called once at most, and not if the transport has called Session.Ended
	// before. The transport gives the peer a bounded time to answer. It may call
	// Session.Ended for this close, which has no effect.
	Close(s CloseStatus)
}

// The optional methods of a Transport, with plumbing.Waiter.
type (
	scheduler    interface{ Schedule() }
	busyNotifier interface{ Busy() }
	settler      interface{ Settled() }
	dropper      interface{ DropOldest(n int) (dropped int) }
	pinger       interface{ RTT() time.Duration }
	meter        interface {
		Sent() (messages, bytes int64)
	}
)

// AcceptOptions configure the answer that accepts a connection. The zero value is ready for
// use.
type AcceptOptions struct {
	// Subprotocol must be one of Scope.Subprotocols. Default: the protocol chooses by its
	// own options, or none.
	Subprotocol string
	// Header is added to the answer, for example with a Set-Cookie. If it has a header
	// that the protocol itself sets, the connection is refused with 500.
	Header http.Header
}
