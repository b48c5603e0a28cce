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
		n, err := c.writeOut(segments)
		if err != nil {
			c.broke(err)
		}
		if c.out.wrote(n, c.server.opts.Limits.QueueBytes) {
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

// writeOut writes segments, in one call if possible, and recycles them. n is
// their size.
func (c *conn) writeOut(segments []segment) (n int, err error) {
	defer func() {
		for _, s := range segments {
			if s.own != nil {
				s.own.release()
			}
		}
	}()
	for _, s := range segments {
		n += len(s.bytes())
	}
	c.extendDeadline()
	switch {
	case len(segments) == 1:
		_, err = c.nc.Write(segments[0].bytes())
	case n <= gatherBelow:
		err = c.writeGathered(segments)
	default:
		err = c.writeVector(segments)
	}
	return n, err
}

func (c *conn) writeGathered(segments []segment) error {
	all := chunks.Get().(*chunk) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer all.release()
	for _, s := range segments {
		all.b = append(all.b, s.bytes()...)
	}
	_, err := c.nc.Write(all.b)
	return err
}

func (c *conn) writeVector(segments []segment) error {
	pieces := c.writer.vector[:0]
	for _, s := range segments {
		pieces = append(pieces, s.bytes())
	}
	c.writer.vector = pieces
	left := pieces // WriteTo consumes it
	_, err := left.WriteTo(c.nc)
	clear(pieces)
	return err
}

// extendDeadline makes sure that a write which makes no progress fails within
// WriteTimeout. Moving a deadline costs as much as small writes do, so it is
// moved when a third of it has passed.
func (c *conn) extendDeadline() {
	now, timeout := time.Now(), c.server.opts.WriteTimeout
	if c.writer.until.Sub(now) > timeout/3*2 {
		return
	}
	c.writer.until = now.Add(timeout)
	_ = c.nc.SetWriteDeadline(c.writer.until) //nolint:errcheck // a broken socket shows when it is written to
}
