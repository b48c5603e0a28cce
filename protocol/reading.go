package protocol

import "time"

// Resume has f called once, when Receive may be called again, or at once if it may be
// called now. f must not block. It replaces the function of an earlier call.
func (s *Session) Resume(f func()) {
	s.mu.Lock()
	pause := s.pauseLocked()
	if s.mayReadLocked(pause) || s.mu.life.IsOver() {
		s.mu.Unlock()
		f()
		return
	}
	s.waitToReadLocked(f, pause)
	s.mu.Unlock()
}

// waitToReadLocked has f called when the transport may go on reading. pause is the value
// for which mayReadLocked returned false: a later one may be 0, and then no timer would be
// started.
func (s *Session) waitToReadLocked(f func(), pause time.Duration) {
	s.rarity().resume = f
	if pause > 0 {
		s.options().Counters.ratePauses.Add(1)
		s.awaitPaceLocked(pause)
	}
}

// mayReadLocked reports whether the transport may go on reading. pause is the result of
// pauseLocked.
func (s *Session) mayReadLocked(pause time.Duration) bool {
	return s.mu.mail.size() < s.limits().ReadAhead && pause <= 0
}

// takeResumeLocked removes and returns the function of Resume if the transport may go on
// reading, or returns nil. The caller calls the function without the lock.
func (s *Session) takeResumeLocked(pause time.Duration) (resume func()) {
	r := s.rare.Load()
	if r == nil || !s.mayReadLocked(pause) {
		return nil
	}
	return r.takeResume()
}

// pace returns the measure of the peer's rate, or nil if the rate is not bounded.
func (s *Session) pace() *pace {
	return s.rare.Load().paceOrNil()
}

// isTooFastLocked counts a message of n bytes. It reports whether the connection has to be
// closed because the peer sends too fast.
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

// pauseLocked returns for how long Limits.Rate forbids the transport to read.
func (s *Session) pauseLocked() time.Duration {
	p := s.pace()
	if p == nil || p.rate.Close {
		return 0
	}
	return p.wait(time.Now())
}

// awaitPaceLocked starts the timer for the end of the pause that Limits.Rate requires.
func (s *Session) awaitPaceLocked(pause time.Duration) {
	p := s.pace()
	if p.timer == nil {
		p.timer = time.AfterFunc(pause, s.paceDone)
		return
	}
	p.timer.Reset(pause)
}

// paceDone is called when the peer may send again.
func (s *Session) paceDone() {
	s.mu.Lock()
	pause := s.pauseLocked()
	resume := s.takeResumeLocked(pause)
	if s.rarity().resume != nil && pause > 0 {
		s.awaitPaceLocked(pause) // the timer was early
	}
	s.mu.Unlock()
	if resume != nil {
		resume()
	}
}

// stopPacingLocked stops the timer, when the connection closes.
func (s *Session) stopPacingLocked() {
	if p := s.pace(); p != nil && p.timer != nil {
		p.timer.Stop()
	}
}
