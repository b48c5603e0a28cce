package websocket

import (
	"math"
	"time"
)

// rhythm is how often connections are looked at, and what is long, counted in
// looks. So a machine that stands still, or is late, takes nobody for dead.
type rhythm struct {
	turn   time.Duration // from one look at a connection to the next
	idle   int           // looks without a byte until a ping; 0: no pings
	pong   int           // looks from a ping to the end
	window int           // looks over which the rate of a message is measured
	least  int           // bytes of an incomplete message's payload per window
}

// leastTurn keeps very short intervals from costing much.
const leastTurn = turnSlots * time.Millisecond

// A message may come slower than MinRate for as long as rateLump takes at that
// rate, and for rateWindow: TLS hands out what comes in records of that size.
const (
	rateWindow = 10 * time.Second
	rateLump   = 16 << 10
)

func newRhythm(o *Options) rhythm {
	turn := rateWindow / 2
	if o.PingInterval > 0 {
		turn = max(min(turn, o.PingInterval/4, o.PongTimeout/4), leastTurn)
	}
	r := rhythm{turn: turn}.at(o.Limits.MinRate)
	if o.PingInterval > 0 {
		r.idle, r.pong = looks(o.PingInterval, turn), looks(o.PongTimeout, turn)
	}
	return r
}

// at returns r for messages that have to come at least at that rate, in bytes per
// second.
func (r rhythm) at(rate int) rhythm {
	window := max(rateWindow, time.Duration(rateLump/rate)*time.Second)
	seconds := int(window / time.Second)
	r.window, r.least = looks(window, r.turn), min(rate, math.MaxInt32/seconds)*seconds
	return r
}

// looks is how many turns d is, rounded up.
func looks(d, turn time.Duration) int { return int((d + turn - 1) / turn) }

// sight is what is seen of a connection at a look.
type sight struct {
	received int    // bytes since the last look
	message  uint32 // which one is incomplete, or 0
	payload  uint32 // bytes of it so far, without headers and without control frames
	stalled  bool   // we do not read from it
	unread   bool   // it has not read all we wrote
}

// verdict is what is to be done about a connection.
type verdict uint8

const (
	fine   verdict = iota
	quiet          // nothing has come for long: ping it
	silent         // it has not answered the ping
	slow           // its message comes too slowly
)

// pulse is what is remembered of a connection between looks. Its zero value is
// that of a new one. It knows no clock and no connection.
type pulse struct {
	still  int32 // looks in a row at which nothing had come
	pinged bool  // so that a ping was sent, and still counts from there

	message uint32 // the one that was incomplete
	payload uint32 // of it, when the window began
	looks   int32  // at it, in this window
}

// look judges a connection by what is seen of it.
func (p *pulse) look(s sight, r *rhythm) verdict {
	if p.isSlow(s, r) {
		return slow
	}
	if s.received > 0 || s.stalled || s.unread || r.idle == 0 {
		p.still, p.pinged = 0, false
		return fine
	}
	p.still++
	switch {
	case !p.pinged && int(p.still) >= r.idle:
		p.still, p.pinged = 0, true
		return quiet
	case p.pinged && int(p.still) >= r.pong:
		return silent
	}
	return fine
}

// isSlow watches the rate of the message that is incomplete, window by window. Only
// its payload counts: pings and empty fragments do not complete it.
// Time in which we do not read does not count: neither while a callback is busy,
// nor while the one who reads has to wait until the peer does.
func (p *pulse) isSlow(s sight, r *rhythm) bool {
	if s.message == 0 || s.message != p.message {
		p.message, p.looks, p.payload = s.message, 0, s.payload
		return false
	}
	if s.stalled || s.unread && s.received == 0 {
		return false
	}
	p.looks++
	if int(p.looks) < r.window {
		return false
	}
	enough := int(s.payload-p.payload) >= r.least
	p.looks, p.payload = 0, s.payload
	return !enough
}
