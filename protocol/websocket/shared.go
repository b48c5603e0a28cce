package websocket

import (
	"sync/atomic"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// sharedFrame is the frame of a large message in the queues of one server. It is
// charged to the server's pool once, for as long as it has a place in a queue, or is
// being written from one.
type sharedFrame struct {
	b      []byte
	pool   *pool
	places atomic.Int64 // in queues; the frame is charged if there are any
}

// sharedFrameOf returns the frame of p for the queues of one server.
func sharedFrameOf(p *protocol.Prepared, of *pool) *sharedFrame {
	return p.Share(of, newSharedFrame).(*sharedFrame) //nolint:errcheck,forcetypeassert // it is what newSharedFrame returns
}

// newSharedFrame returns the frame of m for the pool that variant is.
func newSharedFrame(variant any, m protocol.Message) any {
	b := make([]byte, 0, ws.MaxHeaderSize+len(m.Data))
	of := variant.(*pool) //nolint:errcheck,forcetypeassert // sharedFrameOf has passed it
	return &sharedFrame{b: frame.Append(b, frame.OpCodeOf(m.Kind), m.Data), pool: of}
}

// hold takes a place in a queue for f. The first place is charged, if the pool has room
// or it must be; the others cost one atomic operation.
func (f *sharedFrame) hold(must bool) bool {
	for {
		switch places := f.places.Load(); {
		case places > 0:
			if f.places.CompareAndSwap(places, places+1) {
				return true
			}
		case !f.pool.take(cap(f.b), must):
			return false
		case f.places.CompareAndSwap(0, 1):
			return true
		default: // another queue was faster
			f.pool.give(cap(f.b))
		}
	}
}

// drop gives up a place. The last one is refunded.
func (f *sharedFrame) drop() {
	if f.places.Add(-1) == 0 {
		f.pool.give(cap(f.b))
	}
}

// charge is what the next place of f costs the pool. f may be nil.
func (f *sharedFrame) charge() int {
	if f == nil || f.places.Load() > 0 {
		return 0
	}
	return cap(f.b)
}
