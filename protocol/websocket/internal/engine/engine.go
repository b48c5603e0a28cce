package websocket

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

// engineConfig configures an engine. All fields must be set.
type engineConfig struct {
	limits       protocol.Limits // of connections that have none of their own
	writeTimeout time.Duration   // of a write that makes no progress
	closeTimeout time.Duration   // from the first close until the peer is cut
	liveness     liveness.Rule
	queues       queue.Budget
	forget       func(c *protocol.Conn) // called when session, socket and reader are over
}

// engine runs the connections of one server: it reads and writes them, answers their
// control frames, checks that their peers are alive, and closes them. It does not know
// how they come to it, nor what the application does.
type engine struct {
	engineConfig

	counters engineCounters
	watcher  watcher
	started  time.Time

	mu struct {
		sync.Mutex
		conns   liveness.Wheel[*conn] // that were accepted
		timer   *time.Timer           // of tick; runs while there are conns
		running bool
		due     []*conn // of tick
	}
}

func newEngine(c engineConfig) *engine { return &engine{engineConfig: c, started: time.Now()} }

// now returns the time since the engine was made.
func (e *engine) now() time.Duration { return time.Since(e.started) }

// addConn has the connection checked from now on.
func (e *engine) addConn(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.conns.Add(c)
	if e.mu.running {
		return
	}
	e.mu.running = true
	if e.mu.timer == nil {
		e.mu.timer = time.AfterFunc(e.liveness.Interval/liveness.Slots, e.tick)
		return
	}
	e.mu.timer.Reset(e.liveness.Interval / liveness.Slots)
}

// removeConn forgets a connection of which nothing is left.
func (e *engine) removeConn(c *conn) {
	if c.nc != nil {
		e.mu.Lock()
		e.mu.conns.Remove(c)
		e.mu.Unlock()
	}
	e.forget(c.session.Conn())
}

// allConns returns the accepted connections of which something is left.
func (e *engine) allConns() []*conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.conns.All()
}

// tick checks the connections of one slot.
func (e *engine) tick() {
	e.mu.Lock()
	e.mu.due = e.mu.conns.Advance(e.mu.due[:0])
	due := e.mu.due
	e.mu.Unlock()
	for i, c := range due {
		c.checkAlive()
		due[i] = nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.running = e.mu.conns.Len() > 0; e.mu.running {
		e.mu.timer.Reset(e.liveness.Interval / liveness.Slots)
	}
}

// cutAll closes the sockets of all connections because of err.
func (e *engine) cutAll(err error) {
	for _, c := range e.allConns() {
		if c.life.phase() < phaseClosed {
			// The end is ours: no callback starts any more.
			c.session.Conn().Close(protocol.CloseGoingAway, "the server is shutting down")
			c.fail(err)
		}
	}
}

// engineCounters counts ends of connections, and pauses.
type engineCounters struct {
	violations, tooBig, tooManyFrames, slowSenders   atomic.Int64
	unanswered, writeTimeouts, closeTimeouts, pauses atomic.Int64
}

// countViolation counts a connection that was closed because the peer's frames broke a
// rule.
func (c *engineCounters) countViolation(err error) {
	switch {
	case errors.Is(err, frame.ErrTooBig):
		c.tooBig.Add(1)
	case errors.Is(err, frame.ErrFragments), errors.Is(err, frame.ErrControls):
		c.tooManyFrames.Add(1)
	default:
		c.violations.Add(1)
	}
}

// countCut counts a connection whose socket was closed because of err. closing reports
// whether it was closing before.
func (c *engineCounters) countCut(err error, closing bool) {
	switch {
	case errors.Is(err, ErrPongTimeout):
		if !closing {
			c.unanswered.Add(1)
		}
	case !isTimeout(err):
	case closing:
		c.closeTimeouts.Add(1)
	default:
		c.writeTimeouts.Add(1)
	}
}
