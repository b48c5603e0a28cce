package protocol

import (
	"math"
	"time"
)

const (
	// patience is how long a queue may stay more than half full before its limit
	// closes the connection. It is the time that a consumer or a peer has to catch
	// up with a burst.
	patience = time.Second
	// hardFactor is how many times its limit a queue may hold within patience.
	hardFactor = 4
)

// fill is how full a queue is.
type fill uint8

const (
	fillLow  fill = iota // at most half of the limit
	fillHigh             // at most the limit
	fillOver             // at most hardFactor times the limit
	fillHard             // more
)

// fillOf returns how full a queue is that holds used of limit, which is positive.
func fillOf(used, limit int) fill {
	switch {
	case used <= limit/2:
		return fillLow
	case used <= limit:
		return fillHigh
	case limit > math.MaxInt/hardFactor || used <= limit*hardFactor:
		return fillOver
	}
	return fillHard
}

// backlog decides whether a queue that has reached its limit may grow further. It has
// no lock and no clock. The zero value is that of a queue at most half full.
type backlog struct {
	since time.Time // since when the queue has been more than half full; zero if it is not
}

// admit decides whether an entry may be added, after which the queue would be as full
// as f says. A queue with an exact bound grows to its limit; another one to hardFactor
// times its limit, as long as it has been more than half full for less than patience.
func (b *backlog) admit(f fill, exact bool, now time.Time) bool {
	since := b.since
	if since.IsZero() {
		since = now
	}
	ok := f <= fillHigh || f == fillOver && !exact && now.Sub(since) < patience
	if ok && f >= fillHigh {
		b.since = since
	}
	return ok
}

// isFresh reports whether the queue has been more than half full for less than
// patience: a sender that yields now lets it be drained.
func (b *backlog) isFresh(now time.Time) bool {
	return !b.since.IsZero() && now.Sub(b.since) < patience
}

// drained takes note that the queue is at most half full again.
func (b *backlog) drained() { b.since = time.Time{} }
