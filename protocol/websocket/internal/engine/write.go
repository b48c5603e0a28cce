package engine

import (
	"net"

	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
)

// gatherBelow is the size up to which several pieces are copied together for
// one write; larger ones are written with writev.
const gatherBelow = 16 << 10

// flush writes until nothing is queued. The caller owns the right to write, and gives it
// up.
func (c *Conn) flush() {
	for more := true; more; {
		c.awaitKernel()
		more = c.writeNext(c.out.peek())
	}
}

// writeBatch ends the reader's batch and writes what it has left.
func (c *Conn) writeBatch() {
	paced := c.paced()
	pieces, write := c.out.endBatch(!paced)
	switch {
	case !write:
	case paced:
		c.wake() // may have to wait
	default:
		c.writeOnce(pieces)
	}
}

// writeOnce writes pieces, and leaves to another goroutine what was queued meanwhile:
// while others keep the queue filled, the caller, which is the reader, would not read.
func (c *Conn) writeOnce(pieces [][]byte) {
	if c.writeNext(pieces) {
		c.wake()
	}
}

// writeNext writes what the queue has returned. The caller owns the right to write, and
// gives it up if nothing is left.
func (c *Conn) writeNext(pieces [][]byte) (more bool) {
	n, err := c.writePieces(pieces)
	if err != nil {
		c.fail(err)
	}
	p := c.out.wrote(n)
	if p.drained {
		c.session.Drained()
	}
	if p.finished {
		c.finishClose()
	}
	return p.more
}

// writePieces writes pieces in one call if possible, and returns how much of them. It
// returns no error if the rest may still be written.
func (c *Conn) writePieces(pieces [][]byte) (n int, err error) {
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	if size == 0 {
		return 0, nil
	}
	c.armWrite()
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

func (c *Conn) writeGathered(pieces [][]byte) (n int, err error) {
	all := bytespool.Get()
	defer all.Release()
	for _, p := range pieces {
		all.B = append(all.B, p...)
	}
	return c.nc.Write(all.B) //nolint:wrapcheck // see writePieces
}

// goesOn reports whether writing goes on after an error: the time is up, but the peer has
// read something meanwhile.
func (c *Conn) goesOn(n int, err error) bool {
	return n > 0 && isTimeout(err) && !c.life.closing() && resumes(c.nc)
}
