package engine

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
)

// route is what an engine has learned about the callbacks of the connections of one
// route: whether they block. The zero value has learned nothing. All methods are safe for
// concurrent use.
//
// A callback that has blocked once makes the route a blocking one for minApart; while
// callbacks go on to block, it stays one. Each time that callbacks block soon after the
// route has stopped being one, it is one for twice as long, up to maxApart.
type route struct {
	blocks protocol.Blocking // what the application has declared
	until  atomic.Int64      // when it stops to be a blocking one, since the engine was made; 0: it is none
	last   atomic.Int64      // the time for which it was made a blocking one last

	plain way // of the connections without compression
}

// way is what a connection is told by its route, and by its handshake.
type way struct {
	*route

	deflate *deflating // nil: messages to the peer are not compressed
}

// How long a route stays a blocking one.
const (
	minApart = time.Second
	maxApart = time.Minute
)

// blockedTime is how long a callback on a goroutine of its own may run without counting
// as one that blocks.
const blockedTime = time.Millisecond

// isBlocking reports whether callbacks of the route run on goroutines of their own.
func (r *route) isBlocking(e *Engine) bool {
	switch r.blocks {
	case protocol.BlockingYes:
		return true
	case protocol.BlockingNo:
		return false
	case protocol.BlockingUnknown:
	}
	until := r.until.Load()
	return until != 0 && int64(e.now()) < until
}

// noteBlocked learns that a callback has blocked.
func (r *route) noteBlocked(now time.Duration) {
	until, last := time.Duration(r.until.Load()), time.Duration(r.last.Load())
	switch {
	case until > now: // it is a blocking one, and stays so
	case until != 0 && now-until < last:
		last = min(2*last, maxApart)
	default:
		last = minApart
	}
	r.last.Store(int64(last))
	r.until.Store(int64(now + last))
}

// routeOf returns what is known about the route of s.
func (e *Engine) routeOf(s *protocol.Session) *route {
	key := routeKey{s.Route(), s.Blocking()}
	if r, ok := e.routes.find(key); ok {
		return r
	}
	r := &route{blocks: key.blocks}
	r.plain.route = r
	return e.routes.add(key, r, math.MaxInt) // a program has so many routes
}

// wayOf returns the way of a connection that has agreed on p.
func (e *Engine) wayOf(s *protocol.Session, p deflate.Params) *way {
	r := e.routeOf(s)
	if !p.InUse() {
		return &r.plain
	}
	return &way{r, e.deflate.newDeflating(p)}
}

type routeKey struct {
	route  string
	blocks protocol.Blocking
}

// learnBlocked learns that a callback of the route has blocked. While the machine is too
// busy to tell, it learns nothing.
func (e *Engine) learnBlocked(r *route) {
	if !e.loopWatcher.isLate() {
		r.noteBlocked(e.now())
	}
}

// runElsewhere runs the session's callbacks that are due, on a goroutine of its own. The
// caller has counted the goroutine.
func (c *Conn) runElsewhere() {
	defer c.doneElsewhere() // also if a callback ends the goroutine
	begun := c.engine.now()
	for more := true; more; {
		more = c.session.Run(1)
		now := c.engine.now()
		if now-begun > blockedTime {
			c.engine.learnBlocked(c.way.route)
		}
		begun = now
	}
}

// doneElsewhere counts a goroutine less. After the last one, the peer's end waits no longer.
func (c *Conn) doneElsewhere() {
	left := c.looped.flags.Add(^uint32(oneElsewhere - 1))
	if left < oneElsewhere && left&flagEndWaits != 0 {
		c.looped.flags.And(^uint32(flagEndWaits))
		if l, ok := c.runner.(*loop); ok {
			l.post(c, workResume)
		}
	}
}

func (s *looped) isKeyed() bool { return s.flags.Load()&flagKeyed != 0 }
