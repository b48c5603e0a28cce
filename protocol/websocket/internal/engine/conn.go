package engine

import (
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
)

// Conn is one connection: the [protocol.Transport] of its session. [Engine.NewConn] makes
// one.
//
// One goroutine reads, which holds the lease and owns the fields of read. One goroutine
// writes, which owns the right to write of out, and writeDeadline. life is the phase of the
// connection; it decides which goroutine starts to read.
type Conn struct {
	engine   *Engine
	session  *protocol.Session
	opening  Handshake         // in phaseOpening
	path     string            // for the log
	peer     string            // its address, for the log
	position liveness.Position // in the engine's wheel
	nc       net.Conn          // from phaseAnswering on

	life     life
	peerSide peerSide
	parts    atomic.Int32 // what is not over: the session, and from phaseAnswering on the socket and the reader

	out           outgoing
	writeDeadline time.Duration         // since the engine was made
	pacer         atomic.Pointer[pacer] // nil until a message with a key is sent
	write         func()                // flush, bound once so that starting it allocates nothing

	reading lease
	read    struct {
		parser  frame.Parser
		rest    []byte // was read, and is not parsed yet
		message uint32 // as in activity
		held    int    // as in Session.Hold
		ticks   uint32 // as in activity, when the parser was last told
	}
	roused   atomic.Bool // the deadline of a read is a call to check the phase
	activity activity
}

// activity is what the reader records for the keep-alive check of its connection, and
// what the check remembers.
type activity struct {
	liveness liveness.State // of the check
	received atomic.Uint32  // bytes since the last check
	message  atomic.Uint32  // which one is incomplete, or 0
	payload  atomic.Uint32  // bytes of it so far
	stalled  atomic.Bool    // the reader waits for a callback
	ticks    atomic.Uint32  // checks so far
	pinged   atomic.Int64   // when the last ping was sent, since the engine was made; 0 once it is answered
	rtt      atomic.Int64
}

// peerSide is what the peer may still send, and whether we listen. The zero value is a
// peer whose frames are handled. The reader changes it, the writer reads it.
type peerSide struct{ state atomic.Uint32 }

const (
	peerSends   = iota
	peerIgnored // it broke the rules: what it sends is dropped
	peerClosed  // its close frame has come: what it sends is dropped
	peerGone    // it has hung up
)

func (p *peerSide) is(state uint32) bool { return p.state.Load() == state }
func (p *peerSide) set(state uint32)     { p.state.Store(state) }

var (
	_ protocol.Transport                 = (*Conn)(nil)
	_ interface{ Busy() }                = (*Conn)(nil)
	_ interface{ DropOldest(n int) int } = (*Conn)(nil)
	_ interface{ RTT() time.Duration }   = (*Conn)(nil)
	_ interface {
		Sent() (messages, bytes int64)
	} = (*Conn)(nil)
)

// LogValue names the connection in log lines.
func (c *Conn) LogValue() slog.Value {
	return slog.GroupValue(slog.String("path", logs.Cut(c.path)), slog.String("peer", logs.Cut(c.peer)))
}

// advance is life.advance. The step out of phaseAnswered starts the reader.
func (c *Conn) advance(to phase) (from phase) {
	from = c.life.advance(to)
	if from == phaseAnswered && from < to {
		go c.runReader()
	}
	return from
}

// WheelPosition implements [liveness.Member].
func (c *Conn) WheelPosition() *liveness.Position { return &c.position }
