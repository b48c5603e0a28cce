package engine

import (
	"net"
	"time"
)

// writeAll writes until nothing is queued. The caller owns the right to write, and gives
// it up.
func (t *thread) writeAll() {
	for more := true; more; {
		t.awaitKernel()
		more = t.writeNext(t.conn.out.peek())
	}
}

// writeBatch ends the reader's batch and writes what it has left.
func (t *thread) writeBatch(*Conn) {
	paced := t.paced()
	pieces, write := t.conn.out.endBatch(!paced)
	switch {
	case !write:
	case paced:
		t.conn.wake() // may have to wait
	default:
		t.writeOnce(pieces)
	}
}

// writeOnce writes pieces, and leaves to another goroutine what was queued meanwhile:
// while others keep the queue filled, the caller, which is the reader, would not read.
func (t *thread) writeOnce(pieces [][]byte) {
	if t.writeNext(pieces) {
		t.conn.wake()
	}
}

// writeNext writes what the queue has returned. The caller owns the right to write, and
// gives it up if nothing is left.
func (t *thread) writeNext(pieces [][]byte) (more bool) {
	n, err := t.writePieces(pieces)
	if err != nil {
		t.conn.fail(err)
	}
	return t.conn.wrote(n)
}

// writePieces writes pieces in one call if possible, and returns how much of them. It
// returns no error if the rest may still be written.
func (t *thread) writePieces(pieces [][]byte) (n int, err error) {
	size := sizeOf(pieces)
	if size == 0 {
		return 0, nil
	}
	t.startWrite()
	if all := gather(pieces, size); all != nil {
		n, err = t.nc.Write(all.B)
		all.Release()
	} else if len(pieces) == 1 {
		n, err = t.nc.Write(pieces[0])
	} else {
		vector := net.Buffers(pieces) // consumed by WriteTo
		var written int64
		written, err = vector.WriteTo(t.nc)
		n = int(written)
	}
	t.endWrite()
	if err != nil && t.goesOn(n, err) {
		err = nil
	}
	return n, err //nolint:wrapcheck // it becomes the cause of the end as it is
}

// startWrite makes sure that the write which follows fails if it makes no progress within
// WriteTimeout. A deadline is moved only when a third of it has passed: the lock of all
// deadlines is taken rarely. The caller owns the right to write.
func (t *thread) startWrite() {
	e := t.conn.engine
	if now := e.now(); t.ahead-now < e.WriteTimeout/3*2 && !t.conn.life.closing() {
		t.ahead = now + e.WriteTimeout
		t.conn.armWrite()
	}
	t.mu.Lock()
	t.mu.writing = true
	t.mu.Unlock()
}

// endWrite notes the end of a write, and undoes what has made it fail.
func (t *thread) endWrite() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.writing = false
	if t.mu.cut && !t.expired.Load() {
		t.mu.cut = false
		t.ahead = 0
		_ = t.nc.SetWriteDeadline(time.Time{}) //nolint:errcheck // a broken socket shows when it is written
	}
}

// goesOn reports whether writing goes on after an error: the time is up, but the peer has
// read something meanwhile. A TLS connection cannot go on after a write that has timed out.
func (t *thread) goesOn(n int, err error) bool {
	return n > 0 && isTimeout(err) && !t.conn.life.closing() && isPlain(t.nc)
}
