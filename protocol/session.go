package protocol

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/conflate"
	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/protocol/internal/executor"
	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

// SessionOptions configure the sessions of one protocol server. The zero value
// is safe.
type SessionOptions struct {
	Limits Limits       // zero fields mean the defaults
	Logger *slog.Logger // default slog.Default()
	// Counters are the counters of the server, which its sessions share. Default: new
	// ones, which are not read.
	Counters *Counters
	// ReadBytes bounds how many bytes of incoming messages the sessions with these
	// Counters hold together: incomplete messages, as the transport reports them with
	// [Session.Hold], and messages that wait in mailboxes for a callback. For each
	// connection, up to 4 KiB of each of the two are not counted, and neither is the
	// message that a callback is handling. 0: only the Limits of each session apply.
	//
	// When the bound is exceeded, the connection whose bytes have been counted for the
	// longest time is closed with CloseTryAgainLater, and its bytes are dropped. So a peer
	// that never completes its messages loses its connection, and other peers do not wait.
	// To get the connection of another peer closed, an attacker has to send ReadBytes
	// bytes in the time in which that peer sends one message.
	ReadBytes int
}

// withDefaults returns a copy of o, which may be nil, with the defaults filled in.
func (o *SessionOptions) withDefaults() *SessionOptions {
	var c SessionOptions
	if o != nil {
		c = *o
	}
	c.Limits = c.Limits.WithDefaults()
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Counters == nil {
		c.Counters = new(Counters)
	}
	return &c
}

// Session is the protocol's side of a connection. It calls the [Handler], as the contract
// there says, and the protocol's [Transport]. A protocol calls, in this order:
//
//  1. NewSession, and then Open, which calls the application's Open and the handler's
//     Connect, and has the transport accept or reject.
//  2. Receive or Enqueue for every message, from one goroutine at a time. While a callback
//     is busy, another goroutine should go on reading, so that pings and the close handshake
//     are answered: see the optional methods of [Transport]. A protocol whose messages come in
//     requests calls Deliver instead, from any number of goroutines.
//  3. Ended, when the peer has closed or the connection has broken.
//
// All methods are safe for concurrent use. User code is not called with a lock held.
type Session struct {
	conn   Conn
	t      Transport
	exec   executor.State                 // the right to run callbacks, and what sends read without the lock; near t, as sends need both
	h      Handler                        // set by Open
	shared atomic.Pointer[SessionOptions] // also of other sessions, unless Conn.Limit was called; written before the answer
	ctx    atomic.Pointer[contextState]   // nil: no values, and neither Done nor the close was called
	rare   atomic.Pointer[rare]           // nil until it is needed

	mu struct {
		sync.Mutex
		life     lifecycle.Machine
		blocking Blocking
		settled  bool     // the transport's Settled was called
		opening  *opening // nil once the handshake is answered
		event    *Event   // the only mailbox entry, if that is an event; then mail is nil
		mail     *mailbox // nil while no other entry waits
		late     lateCalls
	}
}

// opening holds what a connection needs only until its handshake is answered.
type opening struct {
	app        Application
	scope      *Scope
	connecting *lazyctx.Context // Connect's ctx, which ends when the connection closes; nil before Connect
	answer     struct {         // held while the answer is given, so that Open waits for an Accept elsewhere
		sync.Mutex
		given bool
	}

	waiting  conflate.Queue[outgoing] // sends, which follow the answer
	queued   int                      // bytes in waiting
	answered []func(refused *RejectError)

	compression Compression // of SetCompression
}

// Conn returns the application's side.
func (s *Session) Conn() *Conn { return &s.conn }

// Limits returns the connection's limits: the server's, with the fields that [Conn.Limit]
// has replaced, and with the defaults filled in. Once Transport.Accept is called, they no
// longer change.
func (s *Session) Limits() Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.limits()
}

// options returns what the session was made with, and the connection's limits.
func (s *Session) options() *SessionOptions { return s.shared.Load() }

// limits returns the connection's limits, which must not be changed.
func (s *Session) limits() *Limits { return &s.options().Limits }

// isOpen reports whether the connection is open, without a lock.
func (s *Session) isOpen() bool { return s.exec.Has(executor.Open) }

// isRejected reports whether the handshake was refused.
func (s *Session) isRejected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.life.State() == lifecycle.Rejected
}

// causeLocked returns the error for calls after the connection has closed.
func (s *Session) causeLocked() error {
	if cause := s.cause(); cause != nil {
		return cause
	}
	return ErrClosed
}

// schedule has the callbacks that are due run elsewhere: by the transport, or on a new
// goroutine. The caller has claimed the executor.
func (s *Session) schedule() {
	if t, ok := s.t.(scheduler); ok {
		t.Schedule()
		return
	}
	go s.Run(0)
}
