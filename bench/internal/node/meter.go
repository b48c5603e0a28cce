package node

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/bench/internal/hist"
)

// sampled is how many members of a group look at the clock, at most, so that what is
// measured is not the clock.
const sampled = 10

// Meter counts what the members of a node receive.
type Meter struct {
	deliveries atomic.Int64
	every      atomic.Int64 // deliveries that are acknowledged together; 0 means none
	acks       chan struct{}

	period  atomic.Uint32 // since Expect
	heard   atomic.Int64
	heardAt atomic.Int64

	mu struct {
		sync.Mutex
		hist.Histogram
	}
}

func newMeter() *Meter {
	const many = 1 << 16 // more than there ever are
	m := &Meter{acks: make(chan struct{}, many)}
	m.period.Store(1)
	return m
}

// expect starts a new period.
func (m *Meter) expect(every int64) {
	m.period.Add(1)
	m.heard.Store(0)
	m.deliveries.Store(0)
	m.every.Store(every)
}

// latencies returns those since the last call.
func (m *Meter) latencies() map[int]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	some := m.mu.Counts()
	m.mu.Histogram = hist.Histogram{}
	return some
}

// Member is one member of a group. Its methods are safe for concurrent use and do not block.
type Member struct {
	meter   *Meter
	sampled bool
	period  atomic.Uint32 // of the last message
}

// Count counts a message. It reports whether the member wants to know when the message was
// sent: then Latency follows.
func (m *Member) Count() bool {
	if now := m.meter.period.Load(); m.period.Load() != now && m.period.Swap(now) != now {
		m.meter.heardAt.Store(time.Now().UnixNano())
		m.meter.heard.Add(1)
	}
	n, every := m.meter.deliveries.Add(1), m.meter.every.Load()
	if every > 0 && n%every == 0 {
		m.meter.acks <- struct{}{}
	}
	return m.sampled
}

// Latency counts a latency, of a message that was sent at a time of the system's clock.
func (m *Member) Latency(sentAt int64) {
	now := time.Now().UnixNano()
	m.meter.mu.Lock()
	defer m.meter.mu.Unlock()
	m.meter.mu.Add(now - sentAt)
}
