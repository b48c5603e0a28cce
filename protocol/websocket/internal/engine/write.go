package websocket

import (
	"net"
	"time"

	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
)

// gatherBelow is the size up to which several pieces are copied together for
// one write; larger ones are written with writev.
const gatherBelow = 16 << 10

// flush writes until nothing is queued. The caller owns the right to write, and gives it
// up.
func (c *conn) flush() {
	for more := true; more; {
		c.awaitKernel()
		more = c.writeNext(c.out.peek())
	}
}

// writeBatch ends the reader's batch and writes what it has left.
func (c *conn) writeBatch() {
	paced := c.paced()
	pieces, write := c.out.endBatch(!paced)
	switch {
	case !write:
	case paced:
		go c.write() // may have to wait
	default:
		c.writeOnce(pieces)
	}
}

// writeOnce writes pieces, and leaves to another goroutine what was queued meanwhile:
// while others keep the queue filled, the caller, which is the reader, would not read.
func (c *conn) writeOnce(pieces [][]byte) {
	if c.writeNext(pieces) {
		go c.write()
	}
}

// writeNext writes what the queue has returned. The caller owns the right to write, and
// no longer does if there is no more.
func (c *conn) writeNext(pieces [][]byte) (more bool) {
	n, err := c.writePieces(pieces)
	if err != nil {
		c.fail(err)
	}
	more, finished := c.out.wrote(n)
	if finished {
		c.afterWriting()
	}
	return more
}

// afterWriting goes on with the end if the last frame has been written. A peer that
// has no more to say that we would hear is told that neither have we; the socket is
// closed when it has said so too (RFC 6455 section 7.1.1).
func (c *conn) afterWriting() {
	if !c.out.finished() {
		return
	}
	half, ok := c.nc.(interface{ CloseWrite() error })
	switch {
	case c.peerSide.is(peerGone) || c.peerSide.is(peerClosed) && !ok:
		c.closeCleanly()
	case ok && (c.peerSide.is(peerClosed) || c.peerSide.is(peerIgnored)):
		_ = half.CloseWrite() //nolint:errcheck // a broken socket shows when it is read
		if c.peerSide.is(peerClosed) {
			_ = c.nc.SetReadDeadline(time.Now().Add(min(lingerTime, c.engine.closeTimeout))) //nolint:errcheck // as above
		}
	}
}

// lingerTime is how long a peer that has closed, and has had our close, may take to
// hang up. What it has sent behind its close comes within a round trip.
const lingerTime = time.Second

// writePieces writes pieces in one call if possible, and returns how much of them. It
// returns no error if the rest may still be written.
func (c *conn) writePieces(pieces [][]byte) (n int, err error) {
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	if size == 0 {
		return 0, nil
	}
	c.extendDeadline()
	switch {
	case len(pieces) == 1:
		n, err = c.nc.Write(pieces[0])
	case size <= gatherBelow:
		n, err = c.writeGathered(pieces)
	default:
		vector := net.Buffers(pieces) // consumed by WriteTo
		var written int64
		written, err = vector.WriteTo(c.nc)
		n = int(written)
	}
	if err != nil && c.goesOn(n, err) {
		err = nil
	}
	return n, err //nolint:wrapcheck // it becomes the cause of the end as it is
}

func (c *conn) writeGathered(pieces [][]byte) (n int, err error) {
	all := bytespool.Get()
	defer all.Release()
	for _, p := range pieces {
		all.B = append(all.B, p...)
	}
	return c.nc.Write(all.B) //nolint:wrapcheck // see writePieces
}

// goesOn reports whether writing goes on after an error: the time was up, but the
// peer has read something meanwhile. A TLS connection cannot go on.
func (c *conn) goesOn(n int, err error) bool {
	if n == 0 || !isTimeout(err) || c.life.closing() {
		return false
	}
	switch c.nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// extendDeadline makes sure that a write which makes no progress fails within
// WriteTimeout, or when the peer has had its time for our close. Moving a
// deadline costs as much as small writes do, so it is moved when a third of it
// has passed.
func (c *conn) extendDeadline() {
	now, timeout := c.engine.now(), c.engine.writeTimeout
	if c.life.closing() || c.writeDeadline-now > timeout/3*2 {
		return
	}
	c.writeDeadline = now + timeout
	_ = c.nc.SetWriteDeadline(time.Now().Add(timeout)) //nolint:errcheck // a broken socket shows when it is written to
	if c.life.closing() {                              // since we looked
		c.boundClose()
	}
}

// boundClose gives the peer CloseTimeout to read what is queued and to answer
// our close.
func (c *conn) boundClose() {
	_ = c.nc.SetDeadline(time.Now().Add(c.engine.closeTimeout)) //nolint:errcheck // a broken socket shows when it is used
}
