package websocket

import (
	"net"
	"time"

	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
)

// gatherBelow is the size up to which several pieces are copied together for
// one write; larger ones are written with writev.
const gatherBelow = 16 << 10

// flush writes everything in the outbox. It is called by whoever holds it, and
// gives up the hold.
func (c *conn) flush() { c.flushFrom(c.takeNext(nil)) }

// flushFrom is flush for a holder who has taken segments already.
func (c *conn) flushFrom(segments []segment) {
	for len(segments) > 0 {
		segments = c.writeNext(segments)
	}
	c.afterWriting()
}

// flushTurn is flushFrom for whoever reads. What has been added meanwhile is left
// to another goroutine: as long as others keep the queue filled, he would not read.
func (c *conn) flushTurn(segments []segment) {
	if len(segments) > 0 {
		c.writeTaken(segments)
		if segments = c.out.take(segments); len(segments) > 0 {
			go c.flushFrom(segments)
			return
		}
	}
	c.afterWriting()
}

// writeNext writes what was taken, and takes what is next.
func (c *conn) writeNext(segments []segment) []segment {
	c.writeTaken(segments)
	return c.takeNext(segments)
}

func (c *conn) writeTaken(segments []segment) {
	n := sizeOf(segments)
	if err := c.writeOut(segments, n.all); err != nil {
		c.fail(err)
	}
	if c.out.wrote(n) {
		c.session.Drained()
	}
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

// writeOut writes segments of n bytes, in one call if that is possible, and
// recycles them.
func (c *conn) writeOut(segments []segment, n int) error {
	defer recycle(segments)
	switch {
	case len(segments) == 1:
		return c.writeAll(segments[0].bytes())
	case n <= gatherBelow:
		return c.writeGathered(segments)
	}
	return c.writeVector(segments)
}

func recycle(segments []segment) {
	for _, s := range segments {
		if s.own != nil {
			s.own.Release()
		}
		if s.shared != nil {
			s.shared.drop()
		}
	}
}

// stride is how much is written at a time, so that a queue is not written as one
// piece: what waits behind can be dropped, and its deadline is its own.
const stride = 128 << 10

func (c *conn) writeAll(b []byte) error {
	for len(b) > 0 {
		c.extendDeadline()
		n, err := c.nc.Write(b[:min(len(b), stride)])
		b = b[n:]
		if err != nil && !c.goesOn(n, err) {
			return err //nolint:wrapcheck // it becomes the cause of the end as it is
		}
	}
	return nil
}

func (c *conn) writeGathered(segments []segment) error {
	all := bytespool.Get()
	defer all.Release()
	for _, s := range segments {
		all.B = append(all.B, s.bytes()...)
	}
	return c.writeAll(all.B)
}

func (c *conn) writeVector(segments []segment) error {
	pieces := c.writer.vector[:0]
	for _, s := range segments {
		pieces = append(pieces, s.bytes())
	}
	c.writer.vector = pieces
	defer clear(pieces)
	left := pieces // WriteTo consumes it
	for len(left) > 0 {
		c.extendDeadline()
		n, err := left.WriteTo(c.nc)
		if err != nil && !c.goesOn(int(n), err) {
			return err //nolint:wrapcheck // it becomes the cause of the end as it is
		}
	}
	return nil
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
	if c.life.closing() || c.writer.until-now > timeout/3*2 {
		return
	}
	c.writer.until = now + timeout
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
