package engine

import (
	"net"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/liveness"
)

// Handshake answers the request that opens a connection. The connection calls each method
// once at most, from within [Conn.Open] or protocol.Conn.Accept, and drops the Handshake
// with the answer.
type Handshake interface {
	// Accept takes the socket over and returns it with the answer, which the connection
	// writes. After an error, Reject is called.
	Accept(o protocol.AcceptOptions) (Accepted, error)
	// Reject writes the answer that refuses.
	Reject(e *protocol.RejectError)
}

// Accepted is what a handshake leaves to its connection. All of it belongs to the
// connection.
type Accepted struct {
	Socket net.Conn          // has no deadlines
	Answer *bytespool.Buffer // the connection writes it first
	Early  []byte            // what the peer has sent behind its request
}

// NewConn returns a connection whose handshake h answers. path and peer name it in log
// lines. It does not count for the engine until it is accepted.
func (e *Engine) NewConn(h Handshake, path, peer string) *Conn {
	c := &Conn{engine: e, opening: h, path: path, peer: peer}
	c.write = c.flush
	return c
}

// Open runs the Open of s, whose transport is c. It returns when the handshake is answered
// and Connect has returned. If the handshake is accepted, the engine serves the connection
// until it is closed. Open is called once.
func (c *Conn) Open(s *protocol.Session) {
	c.session = s
	c.parts.Store(1)
	s.Conn().Defer(c.partDone)
	defer c.advance(phaseReading) // also if a callback ends the goroutine
	s.Open()
}

// Accept takes the socket over and has the answer written.
func (c *Conn) Accept(o protocol.AcceptOptions) error {
	a, err := c.opening.Accept(o)
	if err != nil {
		return err //nolint:wrapcheck // it says what is wrong
	}
	c.opening = nil
	c.adopt(&a)
	c.life.advance(phaseAnswering)
	c.attach()
	return nil
}

// adopt sets what a connection has from phaseAnswering on.
func (c *Conn) adopt(a *Accepted) {
	l := c.session.Limits()
	c.nc = a.Socket
	c.read.rest = a.Early
	c.read.parser = frame.NewParser(&l)
	c.out.open(c.session, c.engine.queues.Within(l.QueueBytes), a.Answer.B)
	a.Answer.Release()
	c.activity.received.Store(1) // the handshake is a sign of life
	c.parts.Add(2)
	c.engine.addConn(c)
}

// Reject answers the handshake.
func (c *Conn) Reject(e *protocol.RejectError) {
	c.advance(phaseClosed)
	c.opening.Reject(e)
	c.opening = nil
}

// advance is life.advance. The step out of phaseAnswered starts the reader.
func (c *Conn) advance(to phase) (from phase) {
	from = c.life.advance(to)
	if from == phaseAnswered && from < to {
		c.startReader()
	}
	return from
}

// connectGrace is how long the reader waits for a Connect that goes on after its Accept.
const connectGrace = 5 * time.Millisecond

// writeAnswer writes the answer and what was sent behind it, and then reads, unless
// Connect goes on.
func (c *Conn) writeAnswer() {
	c.writeOnce(c.out.peek())
	if c.advance(phaseAnswered) == phaseAnswering {
		time.AfterFunc(connectGrace, func() { c.advance(phaseReading) })
		return
	}
	c.runReader()
}

// WheelPosition implements [liveness.Member].
func (c *Conn) WheelPosition() *liveness.Position { return &c.position }
