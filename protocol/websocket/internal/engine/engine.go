// Package engine runs connections: it decides who reads and who writes each of them, hands
// messages over to sessions, answers control frames, and closes. This engine gives each
// connection a goroutine, which waits for the peer.
package engine

import (
	"sync"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

// Config configures an [Engine]. All fields must be set.
type Config struct {
	Limits       protocol.Limits // of connections that have none of their own
	WriteTimeout time.Duration   // of a write that makes no progress
	CloseTimeout time.Duration   // from the first close until the peer is cut
	PingInterval time.Duration   // without a byte from the peer; not positive: no pings
	PongTimeout  time.Duration   // from a ping until the peer is cut
	QueueBytes   int             // of all outgoing queues together

	// Leave is called once for each connection that was opened, when its session, its
	// socket and its reader are done.
	Leave func(c *protocol.Conn)
}

// Engine runs the connections of one server: it reads and writes them, answers their
// control frames, checks that their peers are alive, and closes them. It does not know how
// a request becomes a connection, nor what the application does. All methods are safe for
// concurrent use.
type Engine struct {
	Config

	liveness liveness.Rule
	queues   queue.Budget
	counters counters
	watcher  watcher
	started  time.Time

	mu struct {
		sync.Mutex
		conns   liveness.Wheel[*Conn] // that were accepted
		timer   *time.Timer           // of tick; runs while there are conns
		running bool
		due     []*Conn // of tick
	}
}

// New returns an engine.
func New(c Config) *Engine {
	return &Engine{
		Config:   c,
		liveness: liveness.NewRule(c.PingInterval, c.PongTimeout, c.Limits.MinRate),
		queues:   queue.Budget{Each: c.Limits.QueueBytes, Pool: queue.NewPool(c.QueueBytes)},
		started:  time.Now(),
	}
}

// now returns the time since the engine was made.
func (e *Engine) now() time.Duration { return time.Since(e.started) }

// addConn has the connection checked from now on.
func (e *Engine) addConn(c *Conn) {
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
func (e *Engine) removeConn(c *Conn) {
	if c.nc != nil {
		e.mu.Lock()
		e.mu.conns.Remove(c)
		e.mu.Unlock()
	}
	e.Leave(c.session.Conn())
}

// allConns returns the accepted connections of which something is left.
func (e *Engine) allConns() []*Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.conns.All()
}

// tick checks the connections of one slot.
func (e *Engine) tick() {
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

// CutAll closes the sockets of all connections because of err, as an end from our side: no
// callback starts any more.
func (e *Engine) CutAll(err error) {
	for _, c := range e.allConns() {
		if c.life.phase() < phaseClosed {
			c.session.Conn().Close(protocol.CloseGoingAway, "the server is shutting down")
			c.fail(err)
		}
	}
}
