package websocket

import "sync/atomic"

const (
	freeBytes  = 4 << 10 // of a queue, that are not charged: most never need more
	chargeUnit = 4 << 10 // so that not each message costs an atomic operation
)

// budget is what an outgoing queue may hold, by itself and with all others.
type budget struct {
	*pool
	each int
}

// within returns b for a queue that may hold so much by itself.
func (b *budget) within(each int) *budget {
	if each == b.each {
		return b
	}
	return &budget{each: each, pool: b.pool}
}

// pool is what the queues of a server may hold together.
type pool struct {
	all     int64
	used    atomic.Int64
	refused atomic.Int64
}

// take charges n bytes, if there are so many left or it must be.
func (b *pool) take(n int, must bool) bool {
	for {
		used := b.used.Load()
		if used+int64(n) > b.all && !must {
			b.refused.Add(1)
			return false
		}
		if b.used.CompareAndSwap(used, used+int64(n)) {
			return true
		}
	}
}

// inUnits rounds n up to whole units.
func inUnits(n int) int { return (n + chargeUnit - 1) &^ (chargeUnit - 1) }

// give takes back a charge.
func (b *pool) give(n int) { b.used.Add(int64(-n)) }
