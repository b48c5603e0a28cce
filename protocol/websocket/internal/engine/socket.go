package engine

import (
	"errors"
	"net"
	"os"
	"time"
)

// An engine of another kind, such as an event loop, does four things in its own way. It
// attaches a connection to its socket, which here are the goroutines that are started by
// Accept, advance and leaveBehind. And it wakes the writer, arms deadlines and shuts the
// socket, which is done in this file only.

// wake has what is queued written. The caller owns the right to write, and passes it on.
func (c *Conn) wake() { go c.write() }

// Errors of the calls below are ignored: a broken socket shows when it is read or written.

// armWrite makes sure that a write which makes no progress fails within WriteTimeout, or
// when the time of the close is up. Setting a deadline costs as much as a small write, so
// it is moved only when a third of it has passed. The caller owns the right to write.
func (c *Conn) armWrite() {
	now, timeout := c.engine.now(), c.engine.WriteTimeout
	if c.life.closing() || c.writeDeadline-now > timeout/3*2 {
		return
	}
	c.writeDeadline = now + timeout
	_ = c.nc.SetWriteDeadline(time.Now().Add(timeout)) //nolint:errcheck // see above
	if c.life.closing() {                              // since it was checked
		c.armClose()
	}
}

// armClose gives the peer CloseTimeout to read what is queued and to answer our close.
func (c *Conn) armClose() {
	_ = c.nc.SetDeadline(time.Now().Add(c.engine.CloseTimeout)) //nolint:errcheck // see above
}

// lingerTime is how long a peer that has closed, and has our close, may take to hang up.
// What it has sent behind its close comes within a round trip.
const lingerTime = time.Second

// armHangUp gives the peer lingerTime to hang up.
func (c *Conn) armHangUp() {
	_ = c.nc.SetReadDeadline(time.Now().Add(min(lingerTime, c.engine.CloseTimeout))) //nolint:errcheck // see above
}

// interruptWrite has a write that waits fail.
func (c *Conn) interruptWrite() {
	_ = c.nc.SetWriteDeadline(time.Unix(1, 0)) //nolint:errcheck // see above
}

// interruptRead has a read that waits fail.
func (c *Conn) interruptRead() {
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // see above
}

// shutWrite shuts our half of the socket, behind what was written. It reports whether the
// socket has halves.
func (c *Conn) shutWrite() (ok bool) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if ok {
		_ = half.CloseWrite() //nolint:errcheck // see above
	}
	return ok
}

// shut closes the socket. The caller has taken the step to phaseClosed.
func (c *Conn) shut() { _ = c.nc.Close() } //nolint:errcheck // see above

// resumes reports whether a write on nc can be continued after it has timed out. A TLS
// connection cannot.
func resumes(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// isTimeout reports whether err is that of a socket's deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
