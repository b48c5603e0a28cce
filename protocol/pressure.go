package protocol

import (
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol/internal/backlog"
	"github.com/wye-go/wye/protocol/internal/executor"
)

// QueueAdmits reports whether a transport may add a message of n bytes to its outgoing
// queue, which holds queued bytes, by Limits.QueueBytes and Limits.Overflow. If it returns
// false, the transport's send returns ErrQueueFull. A transport need not call it if the
// queue is empty, or if with the message it is at most half full: then the message fits.
// Calls of QueueAdmits and [Session.QueueDrained] must not overlap. The transport may hold
// the lock of its queue: they take no lock.
func (s *Session) QueueAdmits(queued, n int) bool {
	f := backlog.FillOf(queued+n, s.limits().QueueBytes)
	if f == backlog.Low {
		return true
	}
	now, g := time.Now(), &s.rarity().queueGauge
	ok := g.Admit(f, s.limits().Overflow != OverflowClose, now)
	s.exec.Put(executor.QueueHigh, g.IsFresh(now))
	return ok
}

// QueueDrained tells the session that the outgoing queue for which QueueAdmits was called
// is at most half full again.
func (s *Session) QueueDrained() {
	if r := s.rare.Load(); r != nil {
		r.queueGauge.Drained()
		s.exec.Put(executor.QueueHigh, false)
	}
}

// Drained tells the session that the transport's outgoing queue has room again. The
// transport calls it after a send has returned ErrQueueFull.
func (s *Session) Drained() {
	s.mu.Lock()
	var room chan struct{}
	if r := s.rare.Load(); r != nil {
		room, r.room = r.room, nil
	}
	s.mu.Unlock()
	if room != nil {
		close(room)
	}
}

// Conflated counts a message that another one with the same key has replaced. A transport
// may call it before its send returns.
func (s *Session) Conflated() { s.options().Counters.messages.conflated.Add(1) }

// shouldYield is Conn.ShouldYield.
func (s *Session) shouldYield() bool { return s.exec.Has(executor.MailHigh | executor.QueueHigh) }

// Hold tells the session how many bytes of incoming messages the transport keeps in memory
// for this connection: incomplete messages, and bytes that it has read behind them. Up to
// 4 KiB are not counted. If all connections together hold more than
// SessionOptions.ReadBytes, a connection is closed, which may be this one.
func (s *Session) Hold(n int) { s.hold(heldIncomplete, n) }

func (s *Session) hold(kind, n int) {
	limit := s.options().ReadBytes
	if limit <= 0 || n <= freeRead && !s.isHolding() {
		return
	}
	for _, h := range s.options().Counters.reads.set(s, kind, n, limit) {
		go h.evict() // it takes the session's lock, and the caller may have one
	}
}

// isHolding reports whether bytes that the connection holds are counted.
func (s *Session) isHolding() bool {
	r := s.rare.Load()
	return r != nil && r.holding.Load() != nil
}

// account implements holder.
func (s *Session) account() *atomic.Pointer[account] { return &s.rarity().holding }
