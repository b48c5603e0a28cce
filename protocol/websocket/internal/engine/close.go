package websocket

import (
	"errors"
	"os"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// Close sends a close frame behind what is queued. From then on the peer has
// CloseTimeout to answer.
func (c *conn) Close(s protocol.CloseStatus) {
	c.startClosing()
	c.sendClose(s)
	c.rouse()
}

// startClosing gives the peer CloseTimeout to read what is queued and to answer our
// close.
func (c *conn) startClosing() {
	c.advance(phaseClosing)
	c.boundClose()
}

func (c *conn) sendClose(s protocol.CloseStatus) {
	var buf [2 + ws.MaxControlFramePayloadSize]byte
	if c.out.addControl(frame.AppendClose(buf[:0], s), true) {
		go c.write()
	}
}

// closedByPeer handles the peer's close frame: the answer follows what is queued, and
// then it is for us to close the socket (RFC 6455 section 7.1.1).
func (c *conn) closedByPeer(s protocol.CloseStatus) {
	c.session.Ended(s)
	c.peerSide.set(peerClosed)
	c.startClosing()
	c.sendClose(protocol.CloseStatus{Code: s.Code})
}

// fail ends the connection because the socket has failed with err, or because err is a
// reason to cut it.
func (c *conn) fail(err error) {
	closing := c.life.closing()
	c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: err})
	c.out.abort()
	if c.closeSocket() {
		c.engine.counters.countCut(err, closing) // before the connection is forgotten
		c.partDone()
	}
}

// closeCleanly closes the socket after both closes, unless it is closed.
func (c *conn) closeCleanly() {
	if c.closeSocket() {
		c.partDone()
	}
}

// closeSocket closes the socket, once.
func (c *conn) closeSocket() (first bool) {
	if c.advance(phaseClosed) == phaseClosed {
		return false
	}
	if c.paced() { // of TLS, Close would wait for a writer that waits
		_ = c.nc.SetWriteDeadline(time.Unix(1, 0)) //nolint:errcheck // as below
	}
	_ = c.nc.Close() //nolint:errcheck // there is nobody left to report it to
	return true
}

// partDone notes that the session is over, the socket is closed or the reader has
// returned. After the last of them the engine forgets the connection.
func (c *conn) partDone() {
	if c.parts.Add(-1) == 0 {
		c.engine.removeConn(c)
	}
}

// isTimeout reports whether err is that of a socket's deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
