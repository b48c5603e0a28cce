package websocket

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
)

// Left says what s still holds of connections: nothing when all are over.
func Left(s *Server) string {
	var left []string
	note := func(n int, what string) {
		if n != 0 {
			left = append(left, fmt.Sprintf("%d %s", n, what))
		}
	}
	gate := s.gate.Stats()
	note(gate.Conns, "connections")
	note(s.engine.Usage().Conns-gate.Conns, "connections that only the engine has, or only the gate")
	note(gate.Handshakes, "handshakes")
	note(gate.Addresses, "addresses")
	note(int(s.engine.Stats().QueuedBytes), "bytes of the budget")
	note(s.counters.HeldBytes(), "bytes of incoming messages")
	return strings.Join(left, ", ")
}

// Drivers is how many loops of s go on, and how many connections run on loops.
func Drivers(s *Server) (drivers, conns int) {
	u := s.engine.Usage()
	return u.Drivers, u.OnLoops
}

// Addresses is how many addresses s counts connections of.
func Addresses(s *Server) int { return s.gate.Stats().Addresses }

// Queued is what the outgoing queues of s hold: bytes not yet written, in
// messages and control frames, the memory they take, and what of it is charged to
// Capacity.QueueBytes.
func Queued(s *Server) (pending, memory, charged int) {
	u := s.engine.Usage()
	return u.QueuedBytes, u.QueueMemory, int(s.engine.Stats().QueuedBytes)
}

// LongestNote is how many bytes s keeps at the most of one thing that a peer has
// chosen, for as long as its connection is open.
func LongestNote(s *Server) int { return s.engine.Usage().LongestName }

// Assembling is the memory that s has for incomplete messages, while nobody reads.
func Assembling(s *Server) int { return s.engine.ReadMemory() }

// RunOn has s, which has no connections yet, run them by e; in memory those are the loops
// of engine.NewInMemory. offLoop returns how many connections the loops could not run.
func RunOn(s *Server, e Engine, inMemory bool) (offLoop func() int64) {
	var n atomic.Int64
	s.opts.Engine = e
	c := s.engine.Config
	c.Loops = e != EngineGoroutine && engine.LoopsWork()
	logged := c.OffLoop
	c.OffLoop = func(conn *protocol.Conn, why error) { n.Add(1); logged(conn, why) }
	if inMemory {
		s.engine = engine.NewInMemory(c)
	} else {
		s.engine = engine.New(c)
	}
	return n.Load
}
