package protocol

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
)

var errReadAhead = errors.New("wye: the transport went on reading after Receive had told it to stop")

// SessionOptions configure the sessions of one protocol server. The zero value
// is safe.
type SessionOptions struct {
	Limits   Limits       // zero fields mean the defaults
	Logger   *slog.Logger // default slog.Default()
	Counters *Counters    // default: counters that nobody reads
	Reads    *ReadBudget  // what all sessions hold of incoming messages; nil: as much as each may
}

// Session is the protocol's side of a connection. It runs the handler and keeps
// the promises of package protocol; the protocol's [Transport] does what the
// session says, and tells it what the peer did.
//
//  1. NewSession, then Open, which routes, runs Connect and has the transport
//     accept or reject.
//  2. Receive for every message, from one goroutine at a time. While a callback
//     is busy, another goroutine should go on reading, so that pings and the
//     close handshake are answered: see [BusyNotifier]. Or Deliver, from any
//     number of goroutines, if messages come in requests.
//  3. Ended, when the peer has closed or the connection has broken.
//
// All methods are safe for concurrent use, and no user code is called with a
// lock held.
type Session struct {
	conn   Conn
	t      Transport
	flags  flags     // for sends; beside t, so that they touch little memory
	answer sync.Once // around the answer, so that Open waits for an Accept elsewhere
	h      Handler
	busy   BusyNotifier    // t, if it is one
	shared *SessionOptions // the server's
	limits *Limits         // those of shared, unless Conn.Limit was called; guarded by mu until the answer
	run    func()          // drain, bound once so that scheduling it allocates nothing
	ctx    context.Context //nolint:containedctx // it is the connection's: it ends when this does
	cancel context.CancelCauseFunc
	app    Application // until the answer
	scope  *Scope      // until the answer

	pressure atomic.Pointer[pressure] // nil without Limits.Rate until a queue was more than half full
	holding  atomic.Pointer[holding]  // nil while little is held; written with the lock of shared.Reads

	mu struct {
		sync.Mutex
		life     lifecycle
		running  bool // somebody runs callbacks, or is about to
		told     bool // whoever wanted to know the answer
		mail     mailbox
		opening  *opening      // what there is only before the answer, if there is any
		in       tally         // messages that were handed over
		resume   func()        // set by a transport that has stopped reading, or by Deliver
		turn     chan struct{} // of those in Deliver; made by the first
		room     chan struct{}
		cause    *CloseError
		final    *final      // once messages are handed over after the peer's end
		tasks    *goroutines // of Conn.Go, while there are any
		deferred []func()
	}
}

// opening is what a connection has only until it is answered.
type opening struct {
	waiting  []outgoing // sends
	queued   int        // bytes in waiting
	answered []func(refused *RejectError)
}

// outgoing is a message that is sent: one of its own, or a shared one.
type outgoing struct {
	msg      Message
	prepared *Prepared
}

func (o outgoing) size() int {
	n := len(o.msg.Data)
	if o.prepared != nil {
		n = o.prepared.Len()
	}
	if key := o.key(); key != "" {
		n += len(key) + KeyOverhead
	}
	return n + messageOverhead
}

func (o outgoing) key() string {
	if o.prepared != nil {
		return o.prepared.Key()
	}
	return o.msg.Key
}

// NewSession prepares a session of app for the connection that scope describes.
// ctx gives the connection's own context its values: it must not be the
// request's. Its end does not end the connection. o may be nil; sessions share it, so it must not
// be changed any more.
func NewSession(ctx context.Context, app Application, scope *Scope, t Transport, o *SessionOptions) *Session {
	if o == nil || o.Logger == nil || o.Counters == nil || o.Limits != o.Limits.WithDefaults() {
		o = o.withDefaults()
	}
	s := &Session{app: app, scope: scope, t: t, shared: o, limits: &o.Limits}
	s.setPace(o.Limits.Rate)
	if busy, ok := t.(BusyNotifier); ok {
		s.busy = busy
	}
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	s.conn.s = s
	s.run = s.drain
	s.mu.running = true // Open does
	return s
}

// withDefaults returns a copy of o, which may be nil, with the defaults filled
// in.
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

// Conn returns the application's side.
func (s *Session) Conn() *Conn { return &s.conn }

// isOpen is the fast path of sends: no lock while the connection is open.
func (s *Session) isOpen() bool { return s.flags.has(flagOpen) }

// Receive hands over one message of the peer. If no callback is running it runs
// the handler on the caller's goroutine, with m.Data as it is; otherwise the
// message waits as a copy. It reports whether the transport may go on reading;
// if not, it must call Receive no more until the function given to Resume is
// called: Limits.ReadAhead is reached, or Limits.Rate. After the end messages are
// counted and dropped.
func (s *Session) Receive(m Message) (more bool) {
	m.Key = "" // it is for what goes out
	s.mu.Lock()
	switch {
	case s.mu.life.over():
		s.mu.Unlock()
		s.shared.Counters.messages.unread.Add(1)
		return true
	case s.mu.mail.bytes >= s.limits.ReadAhead:
		s.mu.Unlock()
		s.shared.Counters.messages.unread.Add(1)
		s.failed(errReadAhead)
		return true
	case s.flags.has(flagPaced) && s.tooFastLocked(len(m.Data)):
		s.mu.Unlock()
		s.endFast()
		return true
	case s.mu.running:
		s.mu.in.add(len(m.Data))
		s.mu.mail.addMessage(m.Clone())
		s.mailHeldLocked()
		more = s.mayReadLocked()
		s.mu.Unlock()
		return more
	}
	s.mu.running = true
	s.mu.in.add(len(m.Data))
	s.mu.Unlock()
	if s.busy != nil {
		s.busy.Busy()
	}
	s.receive(s.ctx, m)
	s.drain()
	if !s.flags.has(flagPaced) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mayReadLocked() || s.mu.life.over()
}

// Resume calls f once when Receive may be called again: at once if it may be
// now. f must not block, and replaces one given before.
func (s *Session) Resume(f func()) {
	s.mu.Lock()
	if s.mayReadLocked() || s.mu.life.over() {
		s.mu.Unlock()
		f()
		return
	}
	s.waitToReadLocked(f)
	s.mu.Unlock()
}

// waitToReadLocked has f called when the transport may read on.
func (s *Session) waitToReadLocked(f func()) {
	s.mu.resume = f
	if s.pauseLocked() > 0 {
		s.shared.Counters.ratePauses.Add(1)
		s.awaitPaceLocked()
	}
}

// Drained tells that the transport's outgoing queue, for which a send had
// returned ErrFull, has room again.
func (s *Session) Drained() {
	s.mu.Lock()
	room := s.mu.room
	s.mu.room = nil
	s.mu.Unlock()
	if room != nil {
		close(room)
	}
}

// Conflated tells that a message has replaced one with the same key, which is
// counted. A transport may call it before its send returns.
func (s *Session) Conflated() { s.shared.Counters.messages.conflated.Add(1) }

// Ended tells how the peer closed (st.Remote) or how the connection broke.
// Messages that were handed over before still reach the handler, for [FinalTime]
// and up to [FinalMessages] of them, unless the connection is ended from our side
// as well, before or after; what is left is dropped and counted, events at once.
// Then Disconnect runs. The transport's Close is not called any more.
func (s *Session) Ended(st CloseStatus) { s.end(st, false) }

// Fail ends the connection as [Conn.CloseWith] does, for a transport whose peer
// broke a rule or exceeded a limit. It reports whether that is what ended the
// connection: false if it had ended before, so that nothing is to be counted.
func (s *Session) Fail(err error) (first bool) { return s.fail(err).first() }

// schedule has what is due run elsewhere. The caller has set running.
func (s *Session) schedule() {
	if sched, ok := s.t.(Scheduler); ok {
		sched.Schedule(s.run)
		return
	}
	go s.run()
}

// deferred is Conn.Defer.
func (s *Session) deferred(f func()) {
	s.mu.Lock()
	over := s.mu.life.settled() && !s.mu.running
	if !over {
		s.mu.deferred = append(s.mu.deferred, f)
	}
	s.mu.Unlock()
	if over {
		s.finish(f)
	}
}
