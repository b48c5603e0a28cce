package engine

import (
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// NewConn returns a connection whose handshake o answers. It does not count for the engine
// until it is accepted.
func (e *Engine) NewConn(o *Opening, n Name) *Conn { return &Conn{engine: e, runner: o, name: n} }

// Open runs the Open of s, whose transport is c. It returns when the handshake is answered
// and Connect has returned. If the handshake is accepted, the engine serves the connection
// until it is closed. Open is called once.
func (c *Conn) Open(s *protocol.Session) {
	c.session = s
	c.parts.Store(1)
	defer c.advance(phaseReading) // also if a callback ends the goroutine
	s.Open()
}

// Accept takes the socket over and attaches it: a goroutine writes the answer, and reads.
func (c *Conn) Accept(o protocol.AcceptOptions) error {
	a, err := c.opening().Accept(o)
	if err != nil {
		return err //nolint:wrapcheck // it says what is wrong
	}
	c.adopt(&a)
	c.life.advance(phaseAnswering)
	c.runner.attach(c)
	return nil
}

// adopt sets what a connection has from phaseAnswering on.
func (c *Conn) adopt(a *Accepted) {
	l := c.session.Limits()
	share := c.engine.shareOf(&l, c.engine.deflate.inflate(a.Deflate))
	c.keepRest(a.Early)
	c.read.parser = frame.NewParser(share.rules)
	c.out.open(share.budget, a.Answer.B)
	a.Answer.Release()
	c.activity.received.Store(true) // the handshake is a sign of life
	c.parts.Add(2)
	c.way = c.engine.wayOf(c.session, a.Deflate)
	c.engine.place(c, a.Socket)
	c.engine.addConn(c) // from here on CutAll may close it
}

// Reject answers the handshake.
func (c *Conn) Reject(e *protocol.RejectError) {
	o := c.opening()
	c.runner = &Opening{} // what the answer needed is let go
	c.advance(phaseClosed)
	o.Reject(e)
}

// connectGrace is how long a connection waits for a Connect that goes on after its Accept,
// before it reads.
const connectGrace = 5 * time.Millisecond
