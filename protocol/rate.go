package protocol

import (
	"errors"
	"time"
)

// Rate bounds how fast one peer may send messages: on average, with bursts. The zero
// value is no bound. Pings and other control frames do not count (see
// Limits.MaxControlFrames), and neither do bytes of frames and headers.
type Rate struct {
	// Messages is how many messages may come per second. 0 is no bound.
	Messages int
	// MessageBurst is how many may come at once when nothing has come for a while.
	// Default Messages.
	MessageBurst int
	// Bytes is how many bytes of payload may come per second. 0 is no bound.
	Bytes int
	// ByteBurst is how many may come at once when nothing has come for a while. A
	// larger message is not refused: what comes behind it waits for as long as its
	// bytes take at this rate. Default Bytes.
	ByteBurst int
	// Close closes a connection whose peer sends faster with ClosePolicyViolation.
	// Otherwise the peer is not read from until it may send again, so that TCP slows
	// it down; meanwhile its pings and its close wait, too, and it is not cut for
	// being silent or slow.
	Close bool
}

// withDefaults returns r with its defaults filled in. Negative values mean zero, so
// that a route can lift its server's bound with {Messages: -1}.
func (r Rate) withDefaults() Rate {
	r.Messages, r.Bytes = max(r.Messages, 0), max(r.Bytes, 0)
	r.MessageBurst = burst(r.MessageBurst, r.Messages)
	r.ByteBurst = burst(r.ByteBurst, r.Bytes)
	if r.Messages == 0 && r.Bytes == 0 {
		return Rate{}
	}
	return r
}

func burst(n, rate int) int {
	if rate == 0 {
		return 0
	}
	return positive(n, rate)
}

// bucket is a token bucket, which is filled at a rate per second up to a burst. It has
// no clock. The zero value is full.
type bucket struct {
	full time.Time // when it is full again
}

// tokens returns how long it takes until so many tokens have come.
func tokens(n, rate int) time.Duration {
	return time.Duration(float64(n) / float64(rate) * float64(time.Second))
}

// wait returns how long it takes until a token is there; 0 or less if one is.
func (b *bucket) wait(rate, burst int, now time.Time) time.Duration {
	return max(b.full.Sub(now), 0) - tokens(burst-1, rate)
}

// take takes n tokens, also if there are less: then those that come are owed.
func (b *bucket) take(n, rate int, now time.Time) {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(tokens(n, rate))
}

// pace is how fast a peer sends. It has no clock and no lock.
type pace struct {
	rate            Rate
	messages, bytes bucket
	timer           *time.Timer // for the next message; nil if none had to wait yet
}

// pace returns how fast the peer sends, or nil if there is no bound.
func (s *Session) pace() *pace {
	if p := s.pressure.Load(); p != nil {
		return p.pace
	}
	return nil
}

// setPace bounds how fast the peer may send.
func (s *Session) setPace(r Rate) {
	switch {
	case r != (Rate{}):
		s.pressed().pace = &pace{rate: r}
	case s.pace() != nil:
		s.pressed().pace = nil
	}
	s.flags.put(flagPaced, r != (Rate{}))
}

// wait returns how long it takes until a message may come; 0 or less if one may.
func (p *pace) wait(now time.Time) (wait time.Duration) {
	if r := p.rate.Messages; r > 0 {
		wait = p.messages.wait(r, p.rate.MessageBurst, now)
	}
	if r := p.rate.Bytes; r > 0 {
		wait = max(wait, p.bytes.wait(r, p.rate.ByteBurst, now))
	}
	return wait
}

// take takes note of a message of n bytes.
func (p *pace) take(n int, now time.Time) {
	if r := p.rate.Messages; r > 0 {
		p.messages.take(1, r, now)
	}
	if r := p.rate.Bytes; r > 0 {
		p.bytes.take(n, r, now)
	}
}

// errFast is the cause of an end by Rate.Close.
var errFast = errors.New("wye: the peer sent messages faster than Limits.Rate allows")

// tooFastLocked takes note of a message of n bytes, and reports whether the connection
// is to be closed because it is too much.
func (s *Session) tooFastLocked(n int) bool {
	p := s.pace()
	if p == nil {
		return false
	}
	now := time.Now()
	if p.rate.Close && p.wait(now) > 0 {
		return true
	}
	p.take(n, now)
	return false
}

// endFast closes a connection whose peer sends too fast. It drops its message.
func (s *Session) endFast() {
	s.shared.Counters.messages.unread.Add(1)
	s.end(CloseStatus{Code: ClosePolicyViolation, Reason: "messages sent too fast", Err: errFast}, true)
}

// mayReadLocked reports whether the transport may read on.
func (s *Session) mayReadLocked() bool {
	return s.mu.mail.bytes < s.limits.ReadAhead && s.pauseLocked() <= 0
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
		p.timer = time.AfterFunc(pause, s.paced)
	default:
		p.timer.Reset(pause)
	}
}

// paced is called when the peer may send again.
func (s *Session) paced() {
	s.mu.Lock()
	resume := s.roomToReadLocked()
	if resume == nil && s.mu.resume != nil {
		s.awaitPaceLocked() // the timer was early
	}
	s.mu.Unlock()
	if resume != nil {
		resume()
	}
}

// stopPacingLocked follows the end of the connection.
func (s *Session) stopPacingLocked() {
	if p := s.pace(); p != nil && p.timer != nil {
		p.timer.Stop()
	}
}
