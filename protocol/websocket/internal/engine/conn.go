package engine

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
)

// Conn is one connection: the [protocol.Transport] of its session. [Engine.NewConn] makes
// one.
//
// One goroutine at a time is its reader, which holds a lease and owns the fields of read.
// One goroutine at a time is its writer, which owns the right to write of out. life is the
// phase of the connection; it decides when reading starts.
type Conn struct {
	engine   *Engine
	session  *protocol.Session
	name     Name              // for log lines
	position liveness.Position // in the engine's wheel
	deadline liveness.DeadlinePosition

	runner runner // from phaseAnswering on
	looped looped // of a connection that a loop runs
	way    *way   // from phaseAnswering on

	life     life
	peerSide peerSide
	parts    atomic.Int32 // what is not over: the session, and from phaseAnswering on the socket and the reader

	out  outgoing
	read struct {
		parser  frame.Parser
		rest    *[]byte // was read, and is not parsed yet; nil if there is none
		message uint32  // as in activity
		held    uint32  // as in Session.Hold, or the largest number
	}
	activity activity
}

// activity is what the reader records for the keep-alive check of its connection, and
// what the check remembers.
type activity struct {
	liveness liveness.State // of the check
	received atomic.Bool    // bytes have come since the last check
	stalled  atomic.Bool    // the reader waits for a callback
	message  atomic.Uint32  // which one is incomplete, or 0
	payload  atomic.Uint32  // bytes of it so far
	pinged   atomic.Uint32  // when the last ping was sent, as pingTime; 0 once it is answered
	rtt      atomic.Uint32  // in microseconds
}

// peerSide is what the peer may still send, and whether we listen. The zero value is a
// peer whose frames are handled. The reader changes it, the writer reads it.
type peerSide struct{ state atomic.Uint32 }

const (
	peerSends   = iota
	peerIgnored // it broke the rules: what it sends is dropped
	peerClosed  // its close frame has come: what it sends is dropped
	peerAwaited // as the two before, and it has all that we had for it: it is to hang up
	peerGone    // it has hung up
)

func (p *peerSide) is(state uint32) bool { return p.state.Load() == state }
func (p *peerSide) set(state uint32)     { p.state.Store(state) }

// await takes the step from state to peerAwaited, if that is the state.
func (p *peerSide) await(from uint32) bool { return p.state.CompareAndSwap(from, peerAwaited) }

var (
	_ protocol.Transport                 = (*Conn)(nil)
	_ interface{ Busy() }                = (*Conn)(nil)
	_ interface{ Schedule() }            = (*Conn)(nil)
	_ interface{ WillWait() }            = (*Conn)(nil)
	_ interface{ WillWork() }            = (*Conn)(nil)
	_ interface{ Settled() }             = (*Conn)(nil)
	_ interface{ DropOldest(n int) int } = (*Conn)(nil)
	_ interface{ RTT() time.Duration }   = (*Conn)(nil)
	_ interface {
		Sent() (messages, bytes int64)
	} = (*Conn)(nil)
)

// LogValue names the connection in log lines.
func (c *Conn) LogValue() slog.Value { return c.name.LogValue() }

// advance is life.advance. The step out of phaseAnswered starts the reader.
func (c *Conn) advance(to phase) (from phase) {
	from = c.life.advance(to)
	if from == phaseAnswered && from < to {
		c.runner.startReading(c)
	}
	return from
}

// wake has what is queued written. The caller owns the right to write, and passes it on.
func (c *Conn) wake() { c.runner.wake(c) }

// Schedule has the session's callbacks run.
func (c *Conn) Schedule() { c.runner.schedule(c) }

// WillWait lets the others of a loop go on while a callback of the connection waits.
func (c *Conn) WillWait() {
	if c.isAnswered() {
		c.runner.aboutToWait(c)
	}
}

// Settled notes that nothing of the application runs now or later.
func (c *Conn) Settled() { c.partDone() }

// WillWork lets the others of a loop go on while a callback of the connection works for
// long.
func (c *Conn) WillWork() {
	if c.isAnswered() {
		c.runner.aboutToWork(c)
	}
}

// isAnswered reports whether runner no longer changes. Before that, goroutines that Connect
// has started must not use it.
func (c *Conn) isAnswered() bool { return c.life.phase() >= phaseAnswering }

// WheelPosition implements [liveness.Member].
func (c *Conn) WheelPosition() *liveness.Position { return &c.position }
