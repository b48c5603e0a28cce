// Package rate bounds how often something happens.
package rate

import "time"

// Bucket is a token bucket: it holds up to Burst tokens, starts full, and gets
// PerSecond tokens a second. It has neither a clock nor a lock: the caller gives the
// time, which should not go back, and guards it.
type Bucket struct {
	PerSecond, Burst float64

	missing float64   // tokens, at that time
	at      time.Time // of the last call
}

// Take takes n tokens and returns true, or takes nothing if there are fewer.
func (b *Bucket) Take(now time.Time, n float64) bool {
	missing := b.Missing(now) + n
	if missing > b.Burst {
		return false
	}
	b.missing = missing
	return true
}

// Spend takes n tokens, also if there are fewer: then the next ones to come are owed.
func (b *Bucket) Spend(now time.Time, n float64) { b.missing = b.Missing(now) + n }

// Wait returns how long it takes until there is a token; 0 or less if there is one.
func (b *Bucket) Wait(now time.Time) time.Duration {
	return time.Duration((b.Missing(now) + 1 - b.Burst) / b.PerSecond * float64(time.Second))
}

// Missing returns how many tokens the bucket lacks of Burst.
func (b *Bucket) Missing(now time.Time) float64 {
	if passed := now.Sub(b.at); passed > 0 {
		b.missing = max(0, b.missing-passed.Seconds()*b.PerSecond)
		b.at = now
	}
	return b.missing
}
