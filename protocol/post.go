package protocol

import (
	"errors"
	"log/slog"
	"time"

	"github.com/wye-go/wye/internal/logs"
)

// post queues an event.
func (s *Session) post(e *Event) error {
	_ = e.Seal() //nolint:errcheck // an event that cannot be encoded is the handler's to report
	l := letter{event: e}
	s.mu.Lock()
	if s.mu.life.over() {
		defer s.mu.Unlock()
		return s.causeLocked()
	}
	if s.mu.mail.fill(1, l.size(), s.limits) != fillLow {
		if done, err := s.makeRoomUnlock(l, 1, l.size()); done {
			return err
		}
	}
	s.mu.mail.addEvent(l)
	s.flags.put(flagOrdered, true)
	run := !s.mu.running
	s.mu.running = true
	s.mu.Unlock()
	if run {
		s.schedule()
	}
	return nil
}

// offer sends a message to the connection in the order of the events that were posted
// before.
func (s *Session) offer(p *Prepared) error {
	if p.invalid || !s.flags.isStraight() {
		return s.offerSlowly(p)
	}
	if err := s.t.SendPrepared(p); err != nil {
		return s.refused(err, outgoing{prepared: p})
	}
	return nil
}

// offerSlowly is offer for a text that is not UTF-8, while events wait or are being
// handled, and while the connection is not open.
func (s *Session) offerSlowly(p *Prepared) error {
	if p.invalid {
		var err error
		if p, err = s.badOffer(p); err != nil {
			return err
		}
	}
	if done, err := s.offerBehind(p); done {
		return err
	}
	done, err := s.trySend(p)
	if done || err == nil {
		return err
	}
	return s.refused(err, outgoing{prepared: p})
}

// offerBehind has p wait behind the events that wait or are being handled. done is
// false if there are none any more.
func (s *Session) offerBehind(p *Prepared) (done bool, err error) {
	l, more := letter{prepared: p}, 1
	n := l.size()
	s.mu.Lock()
	if s.mu.life.over() || !s.flags.has(flagOrdered) {
		s.mu.Unlock()
		return false, nil
	}
	if old := s.mu.mail.keyed(p.Key()); old != nil {
		more, n = 0, n-old.size()
	}
	if n > 0 && s.mu.mail.fill(more, n, s.limits) != fillLow {
		if done, err := s.makeRoomUnlock(l, more, n); done {
			return true, err
		}
	}
	p.keep()
	replaced := s.mu.mail.addPrepared(p)
	s.mu.Unlock() // whoever handles the event goes on with p
	if replaced {
		s.Conflated()
	}
	return true, nil
}

// sendDue sends a message that has waited behind events. Its sender knows that it was
// queued, so that what becomes of it now is only counted.
func (s *Session) sendDue(p *Prepared) {
	early, err := s.trySend(p)
	switch {
	case err == nil:
	case !early && errors.Is(err, ErrFull) && s.isOpen():
		_ = s.full(outgoing{prepared: p}) //nolint:errcheck // see above
	default:
		s.shared.Counters.messages.dropped.Add(1)
	}
}

// makeRoomUnlock applies the bounds of the mailbox to l, of which there will be so
// many letters more, of n bytes. Unless l may be added, it is done, and has unlocked.
func (s *Session) makeRoomUnlock(l letter, more, n int) (done bool, err error) {
	now, b, policy := time.Now(), &s.pressed().mail, s.limits.EventOverflow
	exact := policy == OverflowDropOldest || policy == OverflowDropNewest
	f := s.mu.mail.fill(more, n, s.limits)
	for policy == OverflowDropOldest && f > fillHigh {
		s.mu.mail.dropEvent()
		s.shared.Counters.eventsOverflowed.Add(1)
		f = s.mu.mail.fill(more, n, s.limits)
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
	s.shared.Counters.lost(l)
	s.endLogged(CloseStatus{Code: CloseTryAgainLater, Reason: "too many events waiting", Err: errBusy}, true, func(how effect) {
		if how.first() {
			s.logBusy(l, waiting, bytes, behind)
		}
	})
	return true, ErrBusy
}

// logBusy logs that too many events wait, behind which the consumer has been for a
// while.
func (s *Session) logBusy(l letter, waiting, bytes int, behind time.Duration) {
	msg := "wye: events were sent faster than a consumer could handle them; its connection was closed with 1013"
	if behind >= patience {
		msg = "wye: a consumer did not handle its events in time; its connection was closed with 1013"
	}
	typ := SendType.Name
	if l.event != nil {
		typ = l.event.typ
	}
	s.shared.Counters.lines.Log(s.shared.Logger, slog.LevelWarn, msg+typ, msg, func() []any {
		return s.logAttrs([]any{"type", logs.Cut(typ), "waiting", waiting, "bytes", bytes, "behind", behind})
	})
}
