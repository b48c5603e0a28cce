package queue

import "sync/atomic"

const (
	// FreeBytes is how many bytes of a queue's own are not charged to its pool: most
	// queues never hold more.
	FreeBytes = 4 << 10

	chargeUnit = 4 << 10 // a charge is a multiple, so that few messages cost an atomic operation
)

// Budget is what a queue may hold: Each bytes by itself, and what its server's queues
// may hold together. Queues with the same bounds share one.
type Budget struct {
	*Pool
	Each int
}

// Pool is what the queues of a server may hold together. It is safe for concurrent use.
type Pool struct {
	size    int64
	used    atomic.Int64
	refused atomic.Int64
}

// NewPool returns a pool of so many bytes.
func NewPool(size int) *Pool { return &Pool{size: int64(size)} }

// Used returns how many bytes are charged.
func (p *Pool) Used() int64 { return p.used.Load() }

// Refused returns how many charges were refused.
func (p *Pool) Refused() int64 { return p.refused.Load() }

// charge charges n bytes. It refuses if fewer are left, unless must is set.
func (p *Pool) charge(n int, must bool) bool {
	for {
		used := p.used.Load()
		if used+int64(n) > p.size && !must {
			p.refused.Add(1)
			return false
		}
		if p.used.CompareAndSwap(used, used+int64(n)) {
			return true
		}
	}
}

// hasRoom reports whether a charge of n bytes would succeed now.
func (p *Pool) hasRoom(n int) bool { return p.used.Load()+int64(n) <= p.size }

func (p *Pool) refund(n int) { p.used.Add(int64(-n)) }

// account is what one queue has charged to its pool.
type account struct {
	own     int // bytes in memory of the queue's own, and what its keys cost
	charged int
}

// missing returns how many bytes are still to be charged for n more bytes of own.
func (a *account) missing(n int) int { return inUnits(max(a.own+n-FreeBytes, 0)) - a.charged }

// charge charges what n more bytes of own need, if they need anything. It does not add
// them.
func (a *account) charge(p *Pool, n int, must bool) bool {
	if a.own+n <= a.charged+FreeBytes {
		return true
	}
	more := a.missing(n)
	if !p.charge(more, must) {
		return false
	}
	a.charged += more
	return true
}

// refund refunds all that is not needed.
func (a *account) refund(p *Pool) {
	if spare := -a.missing(0); spare > 0 {
		p.refund(spare)
		a.charged -= spare
	}
}

// refundMuch is refund if half of the charge, or more, is not needed.
func (a *account) refundMuch(p *Pool) {
	if a.charged == 0 {
		return
	}
	if spare := -a.missing(0); 2*spare > a.charged {
		a.refund(p)
	}
}

// inUnits rounds n up to whole units.
func inUnits(n int) int { return (n + chargeUnit - 1) &^ (chargeUnit - 1) }
