package queue

import (
	"sync"

	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
)

const (
	maxRefs = 16   // frames
	maxRef  = 1024 // bytes of one
)

// refs is small shared frames at the front of a queue, before its state. Each is a
// reference until it is written, when all are copied into one buffer: a message to a group
// touches little memory of each member.
//
// Their bytes are not charged, as those of a queue's own memory up to FreeBytes are not.
type refs struct {
	list     [maxRefs]*Shared
	n        int               // of list
	bytes    int               // of the frames
	gathered *bytespool.Buffer // all of them, while they are lent or written in part; nil before
	written  int               // of gathered
	aborted  bool
	piece    [1][]byte // lent by Peek
}

var refsPool = sync.Pool{New: func() any { return new(refs) }}

// AddShared queues a small frame that other queues hold too, which is not charged. If it
// returns false, nothing has changed, and the caller copies the frame with AddMessage: when
// something else is queued, or the frames that wait have become many.
func (q *Queue) AddShared(s *Shared) bool {
	n, r := len(s.b), q.refs
	switch {
	case q.final || q.state != nil || n > maxRef:
		return false
	case r == nil:
		r = refsPool.Get().(*refs) //nolint:errcheck,forcetypeassert // the pool holds nothing else
		q.refs = r
	case r.gathered != nil || r.n == maxRefs || r.bytes+n > min(FreeBytes, q.Budget.Each/2):
		return false
	}
	r.list[r.n] = s
	r.n++
	r.bytes += n
	return true
}

// queued returns how many bytes count: all, until all are written. r may be nil.
func (r *refs) queued() int {
	if r == nil || r.aborted {
		return 0
	}
	return r.bytes
}

// peek returns what is not written, most bytes at the most.
func (r *refs) peek(most int) [][]byte {
	if r.aborted {
		return nil
	}
	if r.gathered == nil {
		r.gathered = bytespool.Get()
		for _, s := range r.list[:r.n] {
			r.gathered.B = append(r.gathered.B, s.b...)
		}
	}
	r.piece[0] = r.gathered.B[r.written:min(r.written+most, r.bytes)]
	return r.piece[:]
}

// advance tells that n bytes more are written. It reports whether r is empty, and
// recycled.
func (r *refs) advance(n int) (empty bool) {
	r.piece[0] = nil
	r.written += n
	if r.written < r.bytes && !r.aborted {
		return false
	}
	r.recycle()
	return true
}

// abort drops the frames. Those that are lent stay until advance is called. It reports
// whether r is empty, and recycled.
func (r *refs) abort() (empty bool) {
	r.aborted = true
	if r.piece[0] != nil {
		return false
	}
	r.recycle()
	return true
}

// dropFirst drops the oldest frame. None may be lent. It reports whether r is empty, and
// recycled.
func (r *refs) dropFirst() (empty bool) {
	r.bytes -= len(r.list[0].b)
	r.n--
	copy(r.list[:], r.list[1:r.n+1])
	r.list[r.n] = nil
	if r.n > 0 {
		return false
	}
	r.recycle()
	return true
}

func (r *refs) recycle() {
	clear(r.list[:r.n])
	if r.gathered != nil {
		r.gathered.Release()
	}
	r.n, r.bytes, r.written, r.gathered, r.aborted = 0, 0, 0, nil, false
	refsPool.Put(r)
}
