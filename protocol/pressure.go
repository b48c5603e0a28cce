package protocol

import "time"

// pressure is what a session needs only if its peer's rate is bounded, or from the first
// time that one of its queues is more than half full.
type pressure struct {
	mail  backlog // of the mailbox; guarded by Session.mu
	queue backlog // of the transport's outgoing queue; guarded by the lock of that queue
	pace  *pace   // nil without Limits.Rate; guarded by Session.mu, and stays the same from the answer on
}

// pressed returns the session's pressure, which it makes if necessary.
func (s *Session) pressed() *pressure {
	if s.pressure.Load() == nil {
		s.pressure.CompareAndSwap(nil, new(pressure))
	}
	return s.pressure.Load()
}

// QueueAdmits reports whether a transport's outgoing queue that holds queued bytes
// may take a message of n bytes more, by Limits.QueueBytes and Limits.Overflow. If it
// may not, the transport's send returns ErrFull. A transport need not ask while the
// queue is at most half full with the message, and sends to an empty queue are always
// taken. It calls QueueAdmits and [Session.QueueDrained] one at a time, for example
// with the lock of its queue held: the session takes no lock of its own.
func (s *Session) QueueAdmits(queued, n int) bool {
	f := fillOf(queued+n, s.limits.QueueBytes)
	if f == fillLow {
		return true
	}
	now, b := time.Now(), &s.pressed().queue
	ok := b.admit(f, s.limits.Overflow != OverflowClose, now)
	s.flags.put(flagQueueHigh, b.isFresh(now))
	return ok
}

// QueueDrained tells that the outgoing queue for which QueueAdmits was asked is at
// most half full again.
func (s *Session) QueueDrained() {
	if b := s.pressure.Load(); b != nil {
		b.queue.drained()
		s.flags.put(flagQueueHigh, false)
	}
}

// mailDrainedLocked takes note that the mailbox is at most half full again, if it is.
func (s *Session) mailDrainedLocked() {
	if b := s.pressure.Load(); b != nil && !b.mail.since.IsZero() && s.mu.mail.fill(0, 0, s.limits) == fillLow {
		b.mail.drained()
		s.flags.put(flagMailHigh, false)
	}
}

// shouldYield is Conn.ShouldYield.
func (s *Session) shouldYield() bool { return s.flags.has(flagMailHigh | flagQueueHigh) }
