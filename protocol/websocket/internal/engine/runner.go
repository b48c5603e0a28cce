package engine

import "github.com/wye-go/wye/protocol/websocket/internal/bytespool"

// runner is a way to run connections: it reads and writes their sockets, and runs their
// callbacks. There are two: goroutines, which wait for one peer each, and loops, which
// wait for many. Everything else is the same for both.
//
// The methods do not wait for the peer. Unless it says otherwise, a method is safe for
// concurrent use.
//
//nolint:interfacebloat // they are all places where the two differ
type runner interface {
	// attach takes over the socket of c, writes the answer, which is queued, and reads
	// from phaseReading on. It is called once, before all others.
	attach(c *Conn)
	// startReading has c read. The caller has taken the step to phaseReading or a later
	// phase from phaseAnswered.
	startReading(c *Conn)
	// pace is called for each message with a key: from then on little may wait in the
	// kernel.
	pace(c *Conn)
	// wake has what is queued written. The caller owns the right to write, and passes it
	// on.
	wake(c *Conn)
	// writeBatch ends the batch of the reader, who calls it, and writes what it has left.
	writeBatch(c *Conn)
	// schedule has Session.Run called.
	schedule(c *Conn)
	// startCallback marks that the reader, who calls it, runs a callback from now on.
	startCallback(c *Conn)
	// awaitSession is called by the reader when the session takes no messages. It may
	// wait until the session does, and return readOn, or return paused.
	awaitSession(c *Conn) outcome
	// aboutToWait is called by a callback of c that may be about to wait.
	aboutToWait(c *Conn)
	// aboutToWork is called by a callback of c that may be about to work for long.
	aboutToWork(c *Conn)
	// rouse has a reader that waits for the rest of a message check the phase.
	rouse(c *Conn)
	// expire is called when the deadline of c has passed.
	expire(c *Conn)
	// shutWrite shuts our half of the socket, behind what was written. It reports
	// whether the socket has halves.
	shutWrite(c *Conn) bool
	// forget is called last, when nothing of c is left.
	forget(c *Conn)
	// shut closes the socket. The caller has taken the step to phaseClosed.
	shut(c *Conn)
}

// gatherBelow is the size up to which several pieces are copied together for
// one write; larger ones are written with writev.
const gatherBelow = 16 << 10

// gather copies pieces together, if that is better than writing them one by one. The
// caller releases the buffer, which is nil if it has copied nothing.
func gather(pieces [][]byte, size int) *bytespool.Buffer {
	if len(pieces) < 2 || size > gatherBelow {
		return nil
	}
	all := bytespool.Get()
	for _, p := range pieces {
		all.B = append(all.B, p...)
	}
	return all
}

// sizeOf returns how many bytes pieces have together.
func sizeOf(pieces [][]byte) (n int) {
	for _, p := range pieces {
		n += len(p)
	}
	return n
}
