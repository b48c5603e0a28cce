package queue

import "sync/atomic"

// Shared is a frame in the queues of one server. It is charged to the server's pool
// once, for as long as a queue holds it or a writer writes it. It is immutable and safe
// for concurrent use.
type Shared struct {
	b       []byte
	pool    *Pool
	holders atomic.Int64 // queues that hold it, each as often as it does; it is charged if there are any
}

// NewShared returns the shared form of a frame. The caller must not change frame afterwards.
func NewShared(frame []byte, pool *Pool) *Shared { return &Shared{b: frame, pool: pool} }

// Len returns the size of the frame in bytes.
func (s *Shared) Len() int { return len(s.b) }

// CopyTo copies the frame to b, which has its size.
func (s *Shared) CopyTo(b []byte) { copy(b, s.b) }

// hold has one queue more hold s. The first is charged, and refused if the pool has no
// room, unless must is set; the others cost one atomic operation.
func (s *Shared) hold(must bool) bool {
	for {
		switch n := s.holders.Load(); {
		case n > 0:
			if s.holders.CompareAndSwap(n, n+1) {
				return true
			}
		case !s.pool.charge(cap(s.b), must):
			return false
		case s.holders.CompareAndSwap(0, 1):
			return true
		default: // another queue was faster
			s.pool.refund(cap(s.b))
		}
	}
}

// drop undoes a hold. The last one is refunded.
func (s *Shared) drop() {
	if s.holders.Add(-1) == 0 {
		s.pool.refund(cap(s.b))
	}
}

// price returns what the pool would charge for one holder more. s may be nil.
func (s *Shared) price() int {
	if s == nil || s.holders.Load() > 0 {
		return 0
	}
	return cap(s.b)
}

// refundOfDrop returns what the pool would refund if one holder dropped s.
func (s *Shared) refundOfDrop() int {
	if s == nil || s.holders.Load() != 1 {
		return 0
	}
	return cap(s.b)
}
