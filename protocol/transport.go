package protocol

import (
	"net/http"
	"time"
)

// Transport is what a protocol implements for each connection; a [Session]
// calls it. Send, SendPrepared and Close may be called by several goroutines at
// once. No method may block on the peer, and none may keep the bytes it is
// given. None may call back into the Session before it returns, except that
// Accept may ask for Session.Limits, and start whatever will, and that sends may
// call Session.Conflated, Session.QueueAdmits and Session.QueueDrained.
//
// A send of a message with a Key replaces an earlier one with that key which has
// been queued and not begun, as [Message] says; a transport whose queue cannot do
// that sends both.
//
// A Transport that is a [Scheduler] decides where callbacks run, one that is a
// [BusyNotifier] learns when they begin, one that is a [Dropper] can make room
// under OverflowDropOldest, one that is a [Pinger] knows how far the peer is, one
// that is a [Meter] counts what it sends, and one that is a slog.LogValuer is named
// in log lines.
type Transport interface {
	// Accept answers the handshake with yes and starts reading, within
	// Session.Limits, which do not change any more. It is called at most
	// once. An error refuses the connection with 500.
	Accept(o AcceptOptions) error
	// Reject answers the handshake with no. It is called at most once, never
	// after an Accept that returned nil, and from within Session.Open.
	Reject(e *RejectError)
	// Send queues a message. ErrQueueFull means that nothing was queued because
	// the outgoing queue is full (see [Session.QueueAdmits]): the transport
	// must then be writing, and call Session.Drained when there is room.
	// ErrClosed means that nothing can be sent any more.
	Send(m Message) error
	// SendPrepared is Send for a message that is shared with other
	// connections. The transport may keep what p.Share returns, but not p.
	SendPrepared(p *Prepared) error
	// Close sends a close after what is queued, and stops writing. It is
	// called at most once, and not at all if the transport has called
	// Session.Ended before. The transport gives the peer a bounded time to
	// answer. It may report the end with Session.Ended; that changes nothing.
	Close(s CloseStatus)
}

// Scheduler is implemented by a [Transport] that wants to run callbacks itself,
// for example on an event loop.
type Scheduler interface {
	// Schedule runs run soon, once, on another goroutine than the caller's or
	// later on the same. It must not block and must not drop run, even when
	// the connection has ended: Disconnect may be what is due.
	Schedule(run func())
}

// BusyNotifier is implemented by a [Transport] that goes on reading on another
// goroutine while a callback is busy on the one that called Session.Receive.
type BusyNotifier interface {
	// Busy is called by Receive, on its caller's goroutine and with no lock
	// held, when it is about to run a callback there. From now on messages
	// wait in order, so Receive may be called again, from another goroutine,
	// before it has returned; before now, that could change their order.
	Busy()
}

// Dropper is implemented by a [Transport] that can drop what it has queued and
// not begun to write. Under OverflowDropOldest a transport that is none drops
// the newest.
type Dropper interface {
	// DropOldest drops messages, the oldest first, until one of n bytes (of
	// payload, and what its Key counts) can be sent or none is left to drop, and
	// returns how many it was. What is no message, such as a pong, stays.
	DropOldest(n int) (dropped int)
}

// Pinger is implemented by a [Transport] that measures round trips.
type Pinger interface {
	// RTT returns the last one, or 0 if there was none yet.
	RTT() time.Duration
}

// Meter is implemented by a [Transport] that counts the messages which it has
// queued, for [Conn.Traffic].
type Meter interface {
	// Sent returns how many messages have been queued, also if they were
	// dropped or replaced later, and how many bytes that was: of payload, as
	// Send was given it. It may be called at any time.
	Sent() (messages, bytes int64)
}

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
