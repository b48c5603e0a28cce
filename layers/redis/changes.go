package redis

import "context"

// lockChanging waits until no other goroutine changes the intake that is in place. Changes are
// noted by want before, without the lock: what is wanted differently while changes are made
// is changed after them.
func (s *server) lockChanging(ctx context.Context) error {
	select {
	case s.changing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *server) unlockChanging() { <-s.changing }

// noteFailed notes that an intake could not be changed, or only in part. If it is no longer in
// place, all that is wanted arrives through its successor.
func (s *server) noteFailed(in intake, add, drop []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.intake != in {
		return
	}
	if s.mu.failed == nil {
		s.mu.failed = make(map[string]struct{})
	}
	for _, names := range [][]string{add, drop} {
		for _, name := range names {
			s.mu.failed[name] = struct{}{}
		}
	}
}

// takeFailed returns what noteFailed has noted, by what is wanted now.
func (s *server) takeFailed() (add, drop []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.mu.failed {
		if _, wanted := s.mu.wanted[name]; wanted {
			add = append(add, name)
		} else {
			drop = append(drop, name)
		}
	}
	s.mu.failed = nil
	return add, drop
}

// changeAgain makes the changes that have failed, unless others are under way: then the next
// probe has it called again. Events of the groups that were not added may have been lost.
func (s *server) changeAgain(ctx context.Context, in intake, c *commands) {
	select {
	case s.changing <- struct{}{}:
	default:
		return
	}
	add, drop := s.takeFailed()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var err error
	if len(add)+len(drop) > 0 {
		err = in.change(ctx, c, add, drop)
	}
	s.unlockChanging()
	switch {
	case err != nil:
		s.noteFailed(in, add, drop)
		s.logger().Debug("wye: redis: groups could not be subscribed to; it is tried again", "groups", len(add), "error", err)
	case len(add) > 0:
		groups := make([]string, len(add))
		for i, name := range add {
			groups[i] = s.groupOf(name)
		}
		s.logger().Warn("wye: redis: groups could not be subscribed to before, and are now", "groups", len(groups))
		s.driver.receiver.Gap(groups...)
	}
}
