package protocol

import (
	"log/slog"
	"time"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/protocol/internal/backlog"
	"github.com/wye-go/wye/protocol/internal/executor"
	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

// post is Conn.Post.
func (s *Session) post(ev *Event) error {
	_ = ev.seal() //nolint:errcheck // if the event cannot be encoded, the handler's Payload returns the error
	s.mu.Lock()
	if s.mu.life.IsOver() {
		defer s.mu.Unlock()
		return s.causeLocked()
	}
	if !s.addOnlyLocked(ev) {
		e, mail := entry{event: ev}, s.mailLocked()
		if mail.fill(1, e.size(), s.limits()) != backlog.Low {
			if done, err := s.makeRoomUnlock(e, 1, e.size()); done {
				return err
			}
		}
		mail.addEvent(e)
	}
	s.queuedUnlock()
	return nil
}

// queuedUnlock schedules the handling of the entry that was added to the mailbox. The
// messages of later group sends wait behind it.
func (s *Session) queuedUnlock() {
	claimed := s.exec.Claim(executor.Waiting | executor.Ordered)
	s.mu.Unlock()
	if claimed {
		s.schedule()
	}
}

// offer is Conn.Offer.
func (s *Session) offer(p *Prepared) error {
	if p.invalid || !s.exec.IsStraight() {
		return s.offerSlowly(p)
	}
	if err := s.t.SendPrepared(p); err != nil {
		return s.overflowNow(err, outgoing{prepared: p})
	}
	return nil
}

// offerSlowly is offer for a text that is not UTF-8, while events wait or are being
// handled, and while the connection is not open.
func (s *Session) offerSlowly(p *Prepared) error {
	if p.invalid {
		var err error
		if p, err = s.applyTextPolicyToOffer(p); err != nil {
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
	return s.overflowNow(err, outgoing{prepared: p})
}

// offerBehind queues p behind the events that wait or are being handled. done is false,
// and nothing was done, if there are no such events.
func (s *Session) offerBehind(p *Prepared) (done bool, err error) {
	e, more := entry{prepared: p}, 1
	n := e.size()
	s.mu.Lock()
	if s.mu.life.IsOver() || !s.exec.Has(executor.Ordered) {
		s.mu.Unlock()
		return false, nil
	}
	mail := s.mailLocked()
	if old := mail.queue.Find(p.Key()); old != nil {
		more, n = 0, n-old.size()
	}
	if n > 0 && mail.fill(more, n, s.limits()) != backlog.Low {
		if done, err := s.makeRoomUnlock(e, more, n); done {
			return true, err
		}
	}
	p.keep()
	replaced := mail.addPrepared(p)
	s.queuedUnlock()
	if replaced {
		s.Conflated()
	}
	return true, nil
}

// makeRoomUnlock applies the bounds of the mailbox to e. more and n are how many entries
// and bytes the mailbox grows by. If e may be added, done is false. Otherwise makeRoomUnlock
// has unlocked, and err is the result.
func (s *Session) makeRoomUnlock(e entry, more, n int) (done bool, err error) {
	now, g, policy := time.Now(), &s.rarity().mailGauge, s.limits().EventOverflow
	exact := policy == OverflowDropOldest || policy == OverflowDropNewest
	f := s.mu.mail.fill(more, n, s.limits())
	for policy == OverflowDropOldest && f > backlog.High {
		s.mu.mail.dropEvent()
		s.options().Counters.eventsOverflowed.Add(1)
		f = s.mu.mail.fill(more, n, s.limits())
	}
	admitted := g.Admit(f, exact, now)
	s.exec.Put(executor.MailHigh, g.IsFresh(now))
	if admitted {
		return false, nil
	}
	if policy == OverflowDropNewest {
		s.mu.Unlock()
		s.options().Counters.eventsOverflowed.Add(1)
		return true, ErrDropped
	}
	waiting, bytes, behind := s.mu.mail.events, s.mu.mail.eventBytes, g.Behind(now)
	s.mu.Unlock()
	s.options().Counters.dropped(e.contents())
	st := CloseStatus{Code: CloseTryAgainLater, Reason: "too many events waiting", Err: errBusy}
	s.closeSession(st, true, func(effect lifecycle.Effect) {
		if effect.IsFirst() {
			s.logBusy(e, waiting, bytes, behind)
		}
	})
	return true, ErrBusy
}

// logBusy logs that too many events wait, and for how long the consumer has been behind.
func (s *Session) logBusy(e entry, waiting, bytes int, behind time.Duration) {
	msg := "wye: events were sent faster than a consumer could handle them; its connection was closed with 1013"
	if behind >= backlog.Patience {
		msg = "wye: a consumer did not handle its events in time; its connection was closed with 1013"
	}
	typ := SendType.Name
	if e.event != nil {
		typ = e.event.typ
	}
	s.options().Counters.lines.Log(s.options().Logger, slog.LevelWarn, msg+typ, msg, func() []any {
		return s.logAttrs([]any{"type", logs.Cut(typ), "waiting", waiting, "bytes", bytes, "behind", behind})
	})
}
