package protocol

import (
	"net/http"
	"time"
)

// Transport is what a protocol implements for each connection; a [Session]
// calls it. Send, SendPrepared and Close may be called by several goroutines at
// once. No method may block on the peer, and none may keep the bytes it is
// given. None may call back into the Session before it returns, except that
// Accept may ask for Session.Limits, and start goroutines that will, and that sends
// may call Session.Conflated, Session.QueueAdmits and Session.QueueDrained.
//
// A send of a message with a Key replaces an earlier one with that key which is queued
// and not yet being written, as [Message] says; a transport whose queue cannot do that
// sends both.
//
// A Transport may have further methods, for which the Session looks:
//
//   - Schedule(run func()) runs run soon, once, on another goroutine than the caller's,
//     or later on the same, such as that of an event loop. It must not block and must
//     not drop run, even when the connection has ended: Disconnect may be due. Without
//     it the Session starts a goroutine.
//   - Busy() is called by Receive, on its caller's goroutine and with no lock held, when
//     it is about to run a callback there. From then on another goroutine may call
//     Receive before this call has returned: messages wait in order. Before, that could
//     change their order. It is for transports that go on reading while a callback runs.
//   - DropOldest(n int) (dropped int) drops queued messages that are not begun, the
//     oldest first, until one of n bytes (of payload, and what its Key counts) can be
//     sent or none is left, and returns how many it has dropped. What is no message,
//     such as a pong, stays. Without it OverflowDropOldest drops the newest.
//   - RTT() time.Duration returns the last round trip, 0 before the first.
//   - Sent() (messages, bytes int64) returns how many messages have been queued, also if
//     they were dropped or replaced later, and their bytes of payload. It is for
//     [Conn.Traffic], and may be called at any time.
//   - LogValue, of slog.LogValuer, names the connection in log lines.
type Transport interface {
	// Accept answers the handshake with yes and starts reading, within
	// Session.Limits, which no longer change. It is called at most
	// once. An error refuses the connection with 500.
	Accept(o AcceptOptions) error
	// Reject answers the handshake with no. It is called at most once, never
	// after an Accept that returned nil, and from within Session.Open.
	Reject(e *RejectError)
	// Send queues a message. ErrQueueFull means that nothing was queued because
	// the outgoing queue is full (see [Session.QueueAdmits]): the transport
	// must then be writing, and call Session.Drained when there is room.
	// ErrClosed means that nothing more can be sent.
	Send(m Message) error
	// SendPrepared is Send for a message that is shared with other
	// connections. The transport may keep what p.Share returns, but not p.
	SendPrepared(p *Prepared) error
	// Close sends a close after what is queued, and stops writing. It is
	// called at most once, and not at all if the transport has called
	// Session.Ended before. The transport gives the peer a bounded time to
	// answer. It may report the close with Session.Ended; that changes nothing.
	Close(s CloseStatus)
}

// The optional methods of a Transport.
type (
	scheduler    interface{ Schedule(run func()) }
	busyNotifier interface{ Busy() }
	dropper      interface{ DropOldest(n int) (dropped int) }
	pinger       interface{ RTT() time.Duration }
	meter        interface {
		Sent() (messages, bytes int64)
	}
)

// AcceptOptions is how a connection is accepted. The zero value is right for
// most.
type AcceptOptions struct {
	// Subprotocol is the one chosen, which must be one of
	// Scope.Subprotocols. Default: what the protocol's options say, or none.
	Subprotocol string
	// Header is added to the answer, for example a Set-Cookie. Headers that
	// the protocol itself sets are refused.
	Header http.Header
}
