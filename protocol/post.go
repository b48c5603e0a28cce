package protocol

import (
	"log/slog"
	"time"

	"github.com/wye-go/wye/internal/logs"
)

// post queues an event.
func (s *Session) post(e *Event) error {
	_ = e.Seal() //nolint:errcheck // an event that cannot be encoded is the handler's to report
	s.mu.Lock()
	if s.mu.life.over() {
		defer s.mu.Unlock()
		return s.causeLocked()
	}
	if s.mu.mail.fill(1, e.size(), s.limits) != fillLow {
		if done, err := s.makeRoomUnlock(e); done {
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

// makeRoomUnlock applies the bounds of the mailbox to e. Unless e may be added, it is
// done, and has unlocked.
func (s *Session) makeRoomUnlock(e *Event) (done bool, err error) {
	now, b, policy := time.Now(), &s.pressed().mail, s.limits.EventOverflow
	exact := policy == OverflowDropOldest || policy == OverflowDropNewest
	f := s.mu.mail.fill(1, e.size(), s.limits)
	for policy == OverflowDropOldest && f > fillHigh {
		s.mu.mail.dropEvent()
		s.shared.Counters.eventsOverflowed.Add(1)
		f = s.mu.mail.fill(1, e.size(), s.limits)
	}
	admitted := b.admit(f, exact, now)
	s.flags.put(flagMailHigh, b.isFresh(now))
	if admitted {
		return false, nil
	}
	if policy == OverflowDropNewest {
		s.mu.Unlock()
		s.shared.Counters.eventsOverflowed.Add(1)
		return true, ErrDropped
	}
	waiting, bytes := s.mu.mail.events, s.mu.mail.eventBytes
	behind := time.Duration(0)
	if !b.since.IsZero() {
		behind = now.Sub(b.since)
	}
	s.mu.Unlock()
	s.shared.Counters.eventsDropped.Add(1)
	s.endLogged(CloseStatus{Code: CloseTryAgainLater, Reason: "too many events waiting", Err: errBusy}, true, func(how effect) {
		if how.first() {
			s.logBusy(e, waiting, bytes, behind)
		}
	})
	return true, ErrBusy
}

// logBusy logs that too many events wait, behind which the consumer has been for a
// while.
func (s *Session) logBusy(e *Event, waiting, bytes int, behind time.Duration) {
	msg := "wye: events were sent faster than a consumer could handle them; its connection was closed with 1013"
	if behind >= patience {
		msg = "wye: a consumer did not handle its events in time; its connection was closed with 1013"
	}
	s.shared.Counters.lines.Log(s.shared.Logger, slog.LevelWarn, msg+e.typ, msg, func() []any {
		return s.logAttrs([]any{"type", logs.Cut(e.typ), "waiting", waiting, "bytes", bytes, "behind", behind})
	})
}
