// Package engine runs connections: it decides which goroutines read and write each of them,
// hands messages over to sessions, answers control frames, and closes. There are two ways to
// run a connection: a thread gives it a goroutine of its own, which waits for the peer; a
// loop runs many with one goroutine.
package engine

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
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
	Compression  *Compression    // nil: no connection is compressed
	Loops        bool            // run connections on loops that can be, if LoopsWork

	// Leave is called once for each connection that was opened, when its session, its
	// socket and its reader are done.
	Leave func(c *protocol.Conn)
	// OffLoop is called, if Loops is set, for each connection that a goroutine has to run,
	// with the reason.
	OffLoop func(c *protocol.Conn, why error)
}

// Engine runs the connections of one server: it reads and writes them, answers their
// control frames, checks that their peers are alive, and closes them. It does not know how
// a request becomes a connection, nor what the application does. All methods are safe for
// concurrent use.
type Engine struct {
	Config

	liveness  liveness.Rule
	queues    *queue.Pool
	shares    registry[shareKey, share]
	counters  counters
	started   time.Time
	deadlines deadlines
	deflate   *deflation // nil without Config.Compression
	routes    registry[routeKey, *route]

	watcher       watcher // of threads
	loopWatcher   watcher
	loops         []*loop                // empty: there are none
	turnsPerYield int                    // of the loops
	isPlain       func(nc net.Conn) bool // whether a loop can run it; tests replace it

	mu struct {
		sync.Mutex
		conns   liveness.Wheel[*Conn] // that were accepted
		timer   *time.Timer           // of tick; runs while there are conns
		running bool
		due     []*Conn // of tick
	}
}

// counters are those of Stats.
type counters struct {
	violations, tooBig, tooManyFrames, slowSenders     atomic.Int64
	pongTimeouts, writeTimeouts, closeTimeouts, pauses atomic.Int64
	leftBehind                                         atomic.Int64
}

// New returns an engine.
func New(c Config) *Engine {
	e := &Engine{
		Config:        c,
		liveness:      liveness.NewRule(c.PingInterval, c.PongTimeout, c.Limits.MinRate),
		queues:        queue.NewPool(c.QueueBytes),
		started:       time.Now(),
		watcher:       watcher{every: sampleEvery},
		loopWatcher:   watcher{every: sampleLoopEvery},
		turnsPerYield: turnsPerYield,
		isPlain:       isPlain,
	}
	if c.Compression != nil {
		e.deflate = newDeflation(c.Compression, e.queues)
	}
	e.deadlines.granularity = granularityOf(&c)
	e.deadlines.mu.wheel = liveness.NewDeadlines[*Conn](e.deadlines.granularity)
	if runtime.GOMAXPROCS(0) == 1 {
		e.turnsPerYield = 1
	}
	if c.Loops {
		e.loops = e.newLoops(newKernel)
	}
	return e
}

// LoopsWork reports whether this system has what loops need.
func LoopsWork() bool { return loopsWork }

// now returns the time since the engine was made.
func (e *Engine) now() time.Duration { return time.Since(e.started) }

// removeConn forgets a connection of which nothing is left.
func (e *Engine) removeConn(c *Conn) {
	if c.opening() == nil {
		e.mu.Lock()
		e.mu.conns.Remove(c)
		e.mu.Unlock()
	}
	c.way.close()
	c.runner.forget(c)
	e.Leave(c.session.Conn())
}

// allConns returns the accepted connections of which something is left.
func (e *Engine) allConns() []*Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.conns.All()
}
