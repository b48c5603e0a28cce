package router

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol"
)

// MaxConns lets n connections at once through to what is behind it, opening ones
// included. One more is refused with 503 and Retry-After, before what is behind is
// asked. What one MaxConns is put in front of it counts together;
// make two for two counts. How many connections there may be in all is a matter
// of websocket.Options.Capacity. n below 1 panics.
func MaxConns(n int) protocol.Middleware {
	if n < 1 {
		panic(fmt.Sprintf("wye: router.MaxConns(%d) (%s) would refuse everybody; n is 1 or more", n, caller()))
	}
	r := &room{size: int64(n)}
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			if r.full() {
				return nil, errCrowded()
			}
			h, err := next.Open(s)
			if err != nil || h == nil {
				return h, err
			}
			return counted{Handler: h, room: r}, nil
		})
	}
}

// errCrowded is made anew for each peer, which is told when to come back.
func errCrowded() error {
	return protocol.NewRejectError(http.StatusServiceUnavailable, "there are too many connections here").RetryAfter(5 * time.Second)
}

type counted struct {
	protocol.Handler
	room *room
}

// Connect takes a place until the connection is over, however it ends.
func (h counted) Connect(ctx context.Context, c *protocol.Conn) error {
	if !h.room.enter() {
		return errCrowded()
	}
	c.Defer(h.room.leave)
	return h.Handler.Connect(ctx, c)
}

// room has so many places.
type room struct {
	size  int64
	taken atomic.Int64
}

func (r *room) enter() bool {
	for {
		taken := r.taken.Load()
		if taken >= r.size {
			return false
		}
		if r.taken.CompareAndSwap(taken, taken+1) {
			return true
		}
	}
}

// full is asked before an authenticator is, who may be expensive; enter decides.
func (r *room) full() bool { return r.taken.Load() >= r.size }

func (r *room) leave() { r.taken.Add(-1) }
