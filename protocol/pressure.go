package protocol

import (
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol/internal/backlog"
	"github.com/wye-go/wye/protocol/internal/executor"
)

// QueueAdmits reports whether a transport's outgoing queue that holds queued bytes
// may take a message of n bytes more, by Limits.QueueBytes and Limits.Overflow. If it
// may not, the transport's send returns ErrQueueFull. A transport need not ask while the
// queue is at most half full with the message, and sends to an empty queue are always
// taken. It calls QueueAdmits and [Session.QueueDrained] one at a time, for example
// with the lock of its queue held: the session takes no lock of its own.
func (s *Session) QueueAdmits(queued, n int) bool {
	f := backlog.FillOf(queued+n, s.limits.QueueBytes)
	if f == backlog.Low {
		return true
	}
	now, g := time.Now(), &s.pressed().queue
	ok := g.Admit(f, s.limits.Overflow != OverflowClose, now)
	s.exec.Put(executor.QueueHigh, g.IsFresh(now))
	return ok
}

// QueueDrained reports that the outgoing queue for which QueueAdmits was asked is at
// most half full again.
func (s *Session) QueueDrained() {
	if p := s.pressure.Load(); p != nil {
		p.queue.Drained()
		s.exec.Put(executor.QueueHigh, false)
	}
}

// Drained reports that the transport's outgoing queue has room again, after a send has
// returned ErrQueueFull.
func (s *Session) Drained() {
	s.mu.Lock()
	room := s.mu.room
	s.mu.room = nil
	s.mu.Unlock()
	if room != nil {
		close(room)
	}
}

// Conflated reports that a message has replaced one with the same key, which is counted.
// A transport may call it before its send returns.
func (s *Session) Conflated() { s.shared.Counters.messages.conflated.Add(1) }

// mailShrunkLocked takes note that something was taken out of the mailbox.
func (s *Session) mailShrunkLocked() {
	if s.mu.mail.empty() {
		s.exec.Put(executor.Waiting, false)
	}
	if p := s.pressure.Load(); p != nil && p.mail.IsHigh() && s.mu.mail.fill(0, 0, s.limits) == backlog.Low {
		p.mail.Drained()
		s.exec.Put(executor.MailHigh, false)
	}
	s.hold(heldWaiting, s.mu.mail.bytes)
}

// shouldYield is Conn.ShouldYield.
func (s *Session) shouldYield() bool { return s.exec.Has(executor.MailHigh | executor.QueueHigh) }

// Hold reports how many bytes the transport keeps in memory for this connection: of
// incomplete messages, and of what it has read beyond. It costs nothing as long as that is
// little. If it is too much for SessionOptions.ReadBytes, a connection is closed, which may be
// this one.
func (s *Session) Hold(n int) { s.hold(heldIncomplete, n) }

func (s *Session) hold(kind, n int) {
	limit := s.shared.ReadBytes
	if limit <= 0 || n <= freeRead && s.holding.Load() == nil {
		return
	}
	for _, h := range s.shared.Counters.reads.set(s, kind, n, limit) {
		go h.evict() // it takes the session's lock, and the caller may have one
	}
}

// account implements holder.
func (s *Session) account() *atomic.Pointer[account] { return &s.holding }
