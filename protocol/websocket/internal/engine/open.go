package websocket

import (
	"net"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// handshaker answers the request that opens a connection. The connection calls its
// methods at most once each, from within Session.Open or Conn.Accept, and drops it with
// the answer.
type handshaker interface {
	// accept takes the socket over, and returns it with the answer, which it does not
	// write. After an error, reject is called.
	accept(o protocol.AcceptOptions) (accepted, error)
	// reject writes the answer that refuses.
	reject(e *protocol.RejectError)
}

// accepted is a handshake that is answered with yes.
type accepted struct {
	socket net.Conn          // without deadlines
	answer *bytespool.Buffer // to be written first
	early  []byte            // what the peer has sent behind its request
}

// newConn returns a connection whose handshake h answers. path and peer name it in log
// lines. It is the transport of a session, which open runs.
func (e *engine) newConn(h handshaker, path, peer string) *conn {
	c := &conn{engine: e, opening: h, path: path, peer: peer}
	c.write = c.flush
	return c
}

// open runs s, whose transport is c, until the handshake is answered, and serves the
// connection if it is accepted.
func (c *conn) open(s *protocol.Session) {
	c.session = s
	c.parts.Store(1)
	s.Conn().Defer(c.partDone)
	defer c.advance(phaseReading) // also if a callback ends the goroutine
	s.Open()
}

// Accept takes the socket over and starts a goroutine that writes the answer.
func (c *conn) Accept(o protocol.AcceptOptions) error {
	a, err := c.opening.accept(o)
	if err != nil {
		return err //nolint:wrapcheck // it says what is wrong
	}
	c.opening = nil
	c.adopt(&a)
	c.life.advance(phaseAnswering)
	go c.writeAnswer()
	return nil
}

// adopt takes over what an accepted handshake has left.
func (c *conn) adopt(a *accepted) {
	c.nc, c.read.rest = a.socket, a.early
	l := c.session.Limits()
	c.read.parser = frame.NewParser(&l)
	c.out.open(c.session, c.engine.queues.Within(l.QueueBytes), a.answer.B)
	a.answer.Release()
	c.activity.received.Store(1) // the handshake is a sign of life
	c.parts.Add(2)
	c.engine.addConn(c)
}

// Reject answers the handshake.
func (c *conn) Reject(e *protocol.RejectError) {
	c.advance(phaseClosed)
	c.opening.reject(e)
	c.opening = nil
}

// advance is life.advance. The step out of phaseAnswered starts the reader.
func (c *conn) advance(to phase) (from phase) {
	from = c.life.advance(to)
	if from == phaseAnswered && from < to {
		go c.runReader()
	}
	return from
}

// connectGrace is how long the reader waits for a Connect that goes on after its Accept.
const connectGrace = 5 * time.Millisecond

// writeAnswer writes the answer and what was sent behind it, and then reads, unless
// Connect goes on.
func (c *conn) writeAnswer() {
	c.writeOnce(c.out.peek())
	if c.advance(phaseAnswered) == phaseAnswering {
		time.AfterFunc(connectGrace, func() { c.advance(phaseReading) })
		return
	}
	c.runReader()
}
