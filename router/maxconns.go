package router

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol"
)

// MaxConns returns middleware that lets at most n connections at a time through to the
// applications behind it. A connection counts from the moment its Connect starts until
// it has closed. A connection beyond n is refused with 503 and a Retry-After header, and its
// Connect does not run. If n connections are already open, it is refused before any
// middleware behind MaxConns, such as [Auth], is called.
//
// All applications that one returned value wraps share the n. Call MaxConns twice for
// two separate counts. websocket.Options.Capacity bounds the connections of a whole
// server. MaxConns panics if n is less than 1.
func MaxConns(n int) protocol.Middleware {
	if n < 1 {
		panic(fmt.Sprintf("wye: router.MaxConns(%d) (%s): every connection would be refused; n must be at least 1", n, caller()))
	}
	slots := &connSlots{max: int64(n)}
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			if slots.full() {
				return nil, newTooManyConnsError()
			}
			h, err := next.Open(s)
			if err != nil || h == nil {
				return h, err
			}
			return counted{Handler: h, slots: slots}, nil
		})
	}
}

// newTooManyConnsError returns a new error for each peer, because each has a random
// Retry-After.
func newTooManyConnsError() error {
	return protocol.NewRejectError(http.StatusServiceUnavailable, "there are too many connections here").RetryAfter(5 * time.Second)
}

// counted is a handler whose connections each occupy a slot.
type counted struct {
	protocol.Handler
	slots *connSlots
}

// Connect acquires a slot, which is released when the connection has ended in any way.
func (h counted) Connect(ctx context.Context, c *protocol.Conn) error {
	if !h.slots.acquire() {
		return newTooManyConnsError()
	}
	c.Defer(h.slots.release)
	return h.Handler.Connect(ctx, c)
}

// connSlots counts connections up to a maximum.
type connSlots struct {
	max  int64
	used atomic.Int64
}

// acquire occupies a free slot, and reports whether there was one.
func (s *connSlots) acquire() bool {
	for {
		used := s.used.Load()
		if used >= s.max {
			return false
		}
		if s.used.CompareAndSwap(used, used+1) {
			return true
		}
	}
}

// full reports whether all slots are occupied. It is a cheap check before the inner Open,
// which may authenticate; only acquire is exact.
func (s *connSlots) full() bool { return s.used.Load() >= s.max }

func (s *connSlots) release() { s.used.Add(-1) }
