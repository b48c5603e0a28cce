package engine

import (
	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// Close sends a close frame behind what is queued. From then on the peer has
// CloseTimeout to answer.
func (c *Conn) Close(s protocol.CloseStatus) {
	c.startClosing()
	c.sendClose(s)
	c.runner.rouse(c)
}

// startClosing gives the peer CloseTimeout to read what is queued and to answer our
// close.
func (c *Conn) startClosing() {
	c.advance(phaseClosing)
	c.armClose()
}

func (c *Conn) sendClose(s protocol.CloseStatus) {
	var buf [2 + ws.MaxControlFramePayloadSize]byte
	if c.out.addControl(frame.AppendClose(buf[:0], s), true) {
		c.wake()
	}
}

// closedByPeer handles the peer's close frame: the answer follows what is queued, and
// then it is for us to close the socket (RFC 6455 section 7.1.1).
func (c *Conn) closedByPeer(s protocol.CloseStatus) {
	c.session.Ended(s)
	c.peerSide.set(peerClosed)
	c.startClosing()
	c.sendClose(protocol.CloseStatus{Code: s.Code})
}

// fail ends the connection because the socket has failed with err, or because err is a
// reason to cut it.
func (c *Conn) fail(err error) {
	closing := c.life.closing()
	c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: err})
	c.out.abort()
	if c.closeSocket() {
		c.engine.counters.countCut(err, closing) // before the connection is forgotten
		c.partDone()
	}
}

// finishClose goes on with the close if everything is written and nothing can be added. If
// we take no more from the peer, it is told that it gets no more either; the socket is
// closed when it has hung up (RFC 6455 section 7.1.1), or at once if the socket has no
// halves.
func (c *Conn) finishClose() {
	if !c.out.finished() {
		return
	}
	switch {
	case c.peerSide.is(peerGone):
		c.closeCleanly()
	case c.peerSide.await(peerIgnored):
		c.runner.shutWrite(c)
	case c.peerSide.await(peerClosed):
		if c.runner.shutWrite(c) {
			c.armHangUp()
		} else {
			c.closeCleanly()
		}
	}
}

// closeCleanly closes the socket, unless it is closed.
func (c *Conn) closeCleanly() {
	if c.closeSocket() {
		c.partDone()
	}
}

// closeSocket closes the socket, once.
func (c *Conn) closeSocket() (first bool) {
	if c.advance(phaseClosed) == phaseClosed {
		return false
	}
	c.removeDeadline()
	c.runner.shut(c)
	return true
}

// partDone notes that the session is over, the socket is closed or the reader has
// returned. After the last of them the engine forgets the connection.
func (c *Conn) partDone() {
	if c.parts.Add(-1) == 0 {
		c.engine.removeConn(c)
	}
}

// CutAll closes all connections from the server's side, and their sockets at once because
// of err. Only Disconnect is still called.
func (e *Engine) CutAll(err error) {
	for _, c := range e.allConns() {
		if c.life.phase() < phaseClosed {
			c.session.Conn().Close(protocol.CloseGoingAway, "the server is shutting down")
			c.fail(err)
		}
	}
}
