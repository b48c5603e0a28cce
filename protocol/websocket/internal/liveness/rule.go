// Package liveness decides what to do about the peer of a connection that is silent, or
// sends a message too slowly, spreads the checks of connections over time, and keeps
// their deadlines. It has no goroutine, clock or lock.
package liveness

import (
	"math"
	"time"
)

// Rule has the bounds of a connection, counted in checks. So a machine that stands
// still, or is late, does not take a peer for dead.
type Rule struct {
	Interval time.Duration // between two checks of a connection

	idle     int // checks without a byte until a ping; 0: no pings
	pong     int // checks from a ping until the peer is silent
	window   int // checks over which the rate of a message is measured
	minBytes int // of an incomplete message's payload per window
}

const (
	// minInterval bounds what very short intervals cost.
	minInterval = Slots * time.Millisecond

	// maxChecks is how many checks any of the times of a Rule is, at most, so that a
	// connection counts them in two bytes: 45 hours, or 9 minutes if the interval is
	// minInterval. A longer pongTimeout makes the interval longer.
	maxChecks = 1<<15 - 1
)

// A message may come slower than the least rate for rateWindow, and for as long as
// rateBurst takes at that rate: TLS delivers records of that size at once.
const (
	rateWindow = 10 * time.Second
	rateBurst  = 16 << 10
)

// NewRule returns the rule that sends a ping after pingInterval without a byte from the
// peer, and takes the peer for dead after another pongTimeout without one. If
// pingInterval is not positive, there are no pings. Messages have to come at minRate
// bytes per second, which must be positive.
func NewRule(pingInterval, pongTimeout time.Duration, minRate int) Rule {
	r := Rule{Interval: rateWindow / 2}
	if pingInterval > 0 {
		r.Interval = max(min(r.Interval, pingInterval/4, pongTimeout/4), minInterval, pongTimeout/maxChecks+1)
		r.idle, r.pong = min(r.checks(pingInterval), maxChecks), r.checks(pongTimeout)
	}
	return r.WithMinRate(minRate)
}

// WithMinRate returns r with another least rate, in bytes per second.
func (r Rule) WithMinRate(rate int) Rule {
	window := min(rateWindowOf(rate), maxChecks*r.Interval)
	seconds := int(window / time.Second)
	r.window, r.minBytes = r.checks(window), min(rate, math.MaxInt32/seconds)*seconds
	return r
}

// rateWindowOf returns over which time a rate is measured.
func rateWindowOf(rate int) time.Duration {
	return max(rateWindow, time.Duration(rateBurst/rate)*time.Second)
}

// checks returns how many intervals d is, rounded up.
func (r Rule) checks(d time.Duration) int { return int((d + r.Interval - 1) / r.Interval) }

// Sample is the state of a connection at a check.
type Sample struct {
	Received   bool   // bytes have come since the last check
	Message    uint32 // identifies the incomplete message; 0: there is none
	Payload    uint32 // bytes of its payload so far; may wrap around
	ReadPaused bool   // we do not read from the peer
	Unwritten  bool   // the peer has not read all that we have for it
}

// Verdict says what to do about a connection.
type Verdict uint8

// Verdicts.
const (
	OK      Verdict = iota // nothing
	Ping                   // nothing has come for long: send a ping
	Dead                   // nothing has come since the ping: cut the connection
	TooSlow                // the message comes too slowly: close the connection
)

// State is what is remembered of a connection between checks. Its zero value is that
// of a new connection.
type State struct {
	message uint32 // that was incomplete at the last check
	payload uint32 // of it when the window began
	checks  uint16 // of it in this window
	quiet   uint16 // checks in a row at which nothing had come; from Rule.idle on, there was a ping
}

// Check returns the verdict of r about a connection.
func (s *State) Check(now Sample, r *Rule) Verdict {
	if s.tooSlow(now, r) {
		return TooSlow
	}
	if now.Received || now.ReadPaused || now.Unwritten || r.idle == 0 {
		s.quiet = 0
		return OK
	}
	s.quiet = min(s.quiet, 2*maxChecks) + 1 // it need not count beyond idle and pong
	switch quiet := int(s.quiet); {
	case quiet == r.idle:
		return Ping
	case quiet >= r.idle+r.pong:
		return Dead
	}
	return OK
}

// tooSlow measures the rate of the incomplete message, window by window. Only its
// payload counts: control frames and empty fragments do not complete it. A check does
// not count while we do not read: because a callback is busy, or because the reader
// waits until the peer reads.
func (s *State) tooSlow(now Sample, r *Rule) bool {
	if now.Message == 0 || now.Message != s.message {
		s.message, s.checks, s.payload = now.Message, 0, now.Payload
		return false
	}
	if now.ReadPaused || now.Unwritten && !now.Received {
		return false
	}
	s.checks++
	if int(s.checks) < r.window {
		return false
	}
	enough := int(now.Payload-s.payload) >= r.minBytes
	s.checks, s.payload = 0, now.Payload
	return !enough
}
