package websocket

import (
	"time"
)

// gatherBelow is the size up to which several pieces are copied together for
// one write; larger ones are written with writev.
const gatherBelow = 16 << 10

// flush writes everything in the outbox. It is called by whoever holds it, and
// gives up the hold.
func (c *conn) flush() {
	var segments []segment
	for {
		segments = c.out.take(segments)
		if len(segments) == 0 {
			break
		}
		n := sizeOf(segments)
		if err := c.writeOut(segments, n.all); err != nil {
			c.broke(err)
		}
		if c.out.wrote(n) {
			c.session.Drained()
		}
	}
	c.afterWriting()
}

// afterWriting closes the socket, or our half of it, if the last frame has been
// written and the peer has no more to say that we would hear.
func (c *conn) afterWriting() {
	if !c.out.finished() {
		return
	}
	if c.peerDone.Load() {
		c.cut()
	} else if half, ok := c.nc.(interface{ CloseWrite() error }); ok && c.deaf.Load() {
		_ = half.CloseWrite() //nolint:errcheck // a broken socket shows when it is read
	}
}

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
			s.own.release()
		}
	}
}

// stride is how much is written under one deadline, so that a peer that reads
// slowly makes progress.
const stride = 128 << 10

func (c *conn) writeAll(b []byte) error {
	for len(b) > 0 {
		c.extendDeadline()
		n, err := c.nc.Write(b[:min(len(b), stride)])
		if err != nil {
			return err //nolint:wrapcheck // it becomes the cause of the end as it is
		}
		b = b[n:]
	}
	return nil
}

func (c *conn) writeGathered(segments []segment) error {
	all := chunks.Get().(*chunk) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer all.release()
	for _, s := range segments {
		all.b = append(all.b, s.bytes()...)
	}
	return c.writeAll(all.b)
}

func (c *conn) writeVector(segments []segment) error {
	c.extendDeadline()
	pieces := c.writer.vector[:0]
	for _, s := range segments {
		pieces = append(pieces, s.bytes())
	}
	c.writer.vector = pieces
	left := pieces // WriteTo consumes it
	_, err := left.WriteTo(c.nc)
	clear(pieces)
	return err //nolint:wrapcheck // it becomes the cause of the end as it is
}

// extendDeadline makes sure that a write which makes no progress fails within
// WriteTimeout, or when the peer has had its time for our close. Moving a
// deadline costs as much as small writes do, so it is moved when a third of it
// has passed.
func (c *conn) extendDeadline() {
	now, timeout := time.Now(), c.server.opts.WriteTimeout
	if c.closing.Load() || c.writer.until.Sub(now) > timeout/3*2 {
		return
	}
	c.writer.until = now.Add(timeout)
	_ = c.nc.SetWriteDeadline(c.writer.until) //nolint:errcheck // a broken socket shows when it is written to
	if c.closing.Load() {                     // since we looked
		c.boundClose()
	}
}

// boundClose gives the peer CloseTimeout to read what is queued and to answer
// our close.
func (c *conn) boundClose() {
	_ = c.nc.SetDeadline(time.Now().Add(c.server.opts.CloseTimeout)) //nolint:errcheck // a broken socket shows when it is used
}
