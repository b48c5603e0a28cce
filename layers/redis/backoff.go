package redis

import (
	"context"
	"math/rand/v2"
	"time"
)

// Times between attempts to connect. They double, and each is up to a half shorter, by chance,
// so that the nodes of an application do not all connect at the same time.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// backoff is the time before the next attempt to connect. The zero value is the one before the
// second attempt.
type backoff struct{ last time.Duration }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, firstPause), lastPause)
	return b.last - rand.N(b.last/2) //nolint:gosec // spreads load, protects nothing
}

// wait waits for the next pause. It returns false if ctx ends before.
func (b *backoff) wait(ctx context.Context) bool {
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
