package protocol

// post queues an event.
func (s *Session) post(e *Event) error {
	s.mu.Lock()
	if s.mu.life.over() {
		defer s.mu.Unlock()
		return s.causeLocked()
	}
	if s.mu.mail.events >= s.limits.QueueEvents {
		if done, err := s.crowdedUnlock(); done {
			return err
		}
	}
	s.mu.mail.addEvent(e)
	run := !s.mu.running
	s.mu.running = true
	s.mu.Unlock()
	if run {
		s.schedule()
	}
	return nil
}

// crowdedUnlock applies the policy for one event too many. Unless it has made
// room it is done, and has unlocked.
func (s *Session) crowdedUnlock() (done bool, err error) {
	switch s.limits.EventOverflow {
	case OverflowDropOldest:
		s.mu.mail.dropEvent()
		s.shared.Counters.eventsOverflowed.Add(1)
		return false, nil
	case OverflowDropNewest:
		s.mu.Unlock()
		s.shared.Counters.eventsOverflowed.Add(1)
		return true, ErrDropped
	case OverflowClose, OverflowBlock:
	}
	s.mu.Unlock()
	s.shared.Counters.eventsDropped.Add(1)
	s.end(CloseStatus{Code: CloseTryAgainLater, Reason: "too many events waiting", Err: errBusy}, true)
	return true, ErrBusy
}
