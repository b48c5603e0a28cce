// Package backlog decides whether a queue that has reached its limit may grow further.
// It has no lock and no clock: the caller guards it, and gives the time.
package backlog

import (
	"math"
	"time"
)

const (
	// Patience is how long a queue may stay more than half full before its limit
	// closes the connection. It is the time that a consumer or a peer has to catch
	// up with a burst.
	Patience = time.Second
	// hardFactor is how many times its limit a queue may hold within Patience.
	hardFactor = 4
)

// Fill is how full a queue is.
type Fill uint8

// How full a queue may be.
const (
	Low  Fill = iota // at most half of the limit
	High             // at most the limit
	Over             // at most hardFactor times the limit
	Hard             // more
)

// FillOf returns how full a queue is that holds used of limit, which is positive.
func FillOf(used, limit int) Fill {
	switch {
	case used <= limit/2:
		return Low
	case used <= limit:
		return High
	case limit > math.MaxInt/hardFactor || used <= limit*hardFactor:
		return Over
	}
	return Hard
}

// Gauge measures for how long one queue has been more than half full. The zero value is
// that of a queue at most half full.
type Gauge struct {
	since time.Time // since when the queue has been more than half full; zero if it is not
}

// Admit decides whether an entry may be added, after which the queue would be as full
// as f says. A queue with an exact bound grows to its limit; another one to hardFactor
// times its limit, as long as it has been more than half full for less than Patience.
func (g *Gauge) Admit(f Fill, exact bool, now time.Time) bool {
	since := g.since
	if since.IsZero() {
		since = now
	}
	ok := f <= High || f == Over && !exact && now.Sub(since) < Patience
	if ok && f >= High {
		g.since = since
	}
	return ok
}

// IsHigh reports whether the queue is more than half full.
func (g *Gauge) IsHigh() bool { return !g.since.IsZero() }

// IsFresh reports whether the queue has been more than half full for less than Patience:
// a sender that yields now lets it be drained.
func (g *Gauge) IsFresh(now time.Time) bool { return g.IsHigh() && now.Sub(g.since) < Patience }

// Behind returns for how long the queue has been more than half full; 0 if it is not.
func (g *Gauge) Behind(now time.Time) time.Duration {
	if !g.IsHigh() {
		return 0
	}
	return now.Sub(g.since)
}

// Drained takes note that the queue is at most half full again.
func (g *Gauge) Drained() { g.since = time.Time{} }
