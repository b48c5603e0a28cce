package protocol

import (
	"time"

	"github.com/wye-go/wye/internal/rate"
)

// pace measures how fast a peer sends. It has no clock and no lock.
type pace struct {
	rate            Rate
	messages, bytes rate.Bucket // without a rate, a bucket is not used
	timer           *time.Timer // for the next message; nil if none had to wait yet
}

func newPace(r Rate) *pace {
	return &pace{
		rate:     r,
		messages: rate.Bucket{PerSecond: float64(r.Messages), Burst: float64(r.MessageBurst)},
		bytes:    rate.Bucket{PerSecond: float64(r.Bytes), Burst: float64(r.ByteBurst)},
	}
}

// wait returns how long it takes until a message may come; 0 or less if one may.
func (p *pace) wait(now time.Time) (wait time.Duration) {
	for _, b := range []*rate.Bucket{&p.messages, &p.bytes} {
		if b.PerSecond > 0 {
			wait = max(wait, b.Wait(now))
		}
	}
	return wait
}

// spend counts a message of n bytes.
func (p *pace) spend(n int, now time.Time) {
	p.messages.Spend(now, 1)
	p.bytes.Spend(now, float64(n))
}
