package admission

import (
	"time"

	"github.com/wye-go/wye/internal/rate"
)

// throttle bounds how many handshakes are let in per second. It computes for each refused
// peer the time at which it could be let in if all peers refused before came back first, so
// that refused peers come back at this rate. It has neither a clock nor a lock.
type throttle struct {
	admitted rate.Bucket
	refused  rate.Bucket // its missing tokens are the peers that may come back
}

// maxWait bounds the wait that admit returns. RetryAfter spreads the peers over it.
const maxWait = time.Minute

func newThrottle(c *Capacity) throttle {
	perSecond := float64(c.HandshakesPerSecond)
	return throttle{
		admitted: rate.Bucket{PerSecond: perSecond, Burst: float64(c.HandshakeBurst)},
		refused:  rate.Bucket{PerSecond: perSecond, Burst: perSecond * maxWait.Seconds()},
	}
}

// admit returns 0 for a handshake that is let in, and otherwise how long its peer should
// wait. Without a rate every handshake is let in.
func (t *throttle) admit(now time.Time) (wait time.Duration) {
	if t.admitted.PerSecond == 0 || t.admitted.Take(now, 1) {
		return 0
	}
	t.refused.Take(now, 1)
	return time.Duration(t.refused.Missing(now) / t.refused.PerSecond * float64(time.Second))
}
