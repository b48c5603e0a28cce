package protocol

import (
	"time"

	"github.com/wye-go/wye/internal/rate"
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

// pace is how fast a peer sends. It has no clock and no lock.
type pace struct {
	rate            Rate
	messages, bytes rate.Bucket // one that has no rate is not used
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

// spend takes note of a message of n bytes.
func (p *pace) spend(n int, now time.Time) {
	p.messages.Spend(now, 1)
	p.bytes.Spend(now, float64(n))
}
