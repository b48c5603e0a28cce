package protocol

import "time"

// Resume calls f once when Receive may be called again: at once if it may be called now.
// f must not block, and replaces one given before.
func (s *Session) Resume(f func()) {
	s.mu.Lock()
	if s.mayReadLocked() || s.mu.life.IsOver() {
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

// mayReadLocked reports whether the transport may read on.
func (s *Session) mayReadLocked() bool {
	return s.mu.mail.bytes < s.limits.ReadAhead && s.pauseLocked() <= 0
}

// takeResumeLocked returns the function that lets the transport read on, if it waits and
// may. The caller calls it without the lock.
func (s *Session) takeResumeLocked() (resume func()) {
	if s.mu.resume != nil && s.mayReadLocked() {
		resume, s.mu.resume = s.mu.resume, nil
	}
	return resume
}

// pace returns how fast the peer sends, or nil if there is no bound.
func (s *Session) pace() *pace {
	if p := s.pressure.Load(); p != nil {
		return p.pace
	}
	return nil
}

// isTooFastLocked takes note of a message of n bytes, and reports whether the connection
// has to be closed because it is too much.
func (s *Session) isTooFastLocked(n int) bool {
	p := s.pace()
	if p == nil {
		return false
	}
	now := time.Now()
	if p.rate.Close && p.wait(now) > 0 {
		return true
	}
	p.spend(n, now)
	return false
}

// pauseLocked returns how long the transport must not read for Limits.Rate.
func (s *Session) pauseLocked() time.Duration {
	p := s.pace()
	if p == nil || p.rate.Close {
		return 0
	}
	return p.wait(time.Now())
}

// awaitPaceLocked has the transport read on when the peer may send again, if that is
// what it waits for.
func (s *Session) awaitPaceLocked() {
	pause, p := s.pauseLocked(), s.pace()
	switch {
	case pause <= 0:
		return
	case p.timer == nil:
		p.timer = time.AfterFunc(pause, s.paceDone)
	default:
		p.timer.Reset(pause)
	}
}

// paceDone is called when the peer may send again.
func (s *Session) paceDone() {
	s.mu.Lock()
	resume := s.takeResumeLocked()
	if resume == nil && s.mu.resume != nil {
		s.awaitPaceLocked() // the timer was early
	}
	s.mu.Unlock()
	if resume != nil {
		resume()
	}
}

// stopPacingLocked follows the close of the connection.
func (s *Session) stopPacingLocked() {
	if p := s.pace(); p != nil && p.timer != nil {
		p.timer.Stop()
	}
}
