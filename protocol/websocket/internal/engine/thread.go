package engine

import (
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// thread is a connection that a goroutine of its own reads. It works for every net.Conn,
// on every system.
type thread struct {
	conn    *Conn
	nc      net.Conn // has no deadlines, but for those that end a wait
	reading lease
	roused  atomic.Bool           // the deadline of a read is a call to check the phase
	expired atomic.Bool           // the deadline of the close has passed: reads and writes fail
	pacer   atomic.Pointer[pacer] // nil until a message with a key is sent
	flush   func()                // bound once so that starting it allocates nothing
	ahead   time.Duration         // the deadline of writes that was set last; only of the writer

	mu struct {
		sync.Mutex
		writing bool // a write may wait
		cut     bool // that write has been made to fail
	}
}

func newThread(c *Conn, nc net.Conn) *thread {
	t := &thread{conn: c, nc: nc}
	t.flush = t.writeAll
	_ = nc.SetDeadline(time.Time{}) //nolint:errcheck // reading a broken socket returns an error
	return t
}

var _ runner = (*thread)(nil)

func (t *thread) attach(*Conn)       { go t.writeAnswer() }
func (t *thread) startReading(*Conn) { go t.run() }
func (t *thread) wake(*Conn)         { go t.flush() }
func (t *thread) schedule(c *Conn)   { go c.session.Run(0) }
func (t *thread) aboutToWait(*Conn)  {} // the watcher has another goroutine read
func (t *thread) aboutToWork(*Conn)  {}
func (t *thread) forget(*Conn)       {}

// writeAnswer writes the answer and what was sent behind it, and then reads, unless
// Connect goes on.
func (t *thread) writeAnswer() {
	c := t.conn
	t.writeOnce(c.out.peek())
	if c.advance(phaseAnswered) == phaseAnswering {
		time.AfterFunc(connectGrace, func() { c.advance(phaseReading) })
		return
	}
	t.run()
}

// run reads until nothing more comes or the lease is lost. The caller is the reader.
func (t *thread) run() {
	returned := false
	defer func() {
		if !returned { // a callback has ended the goroutine
			t.leaveBehind(t.reading.number.Load())
		}
	}()
	r := newSocketReader(t.nc)
	if t.readAll(r) != leaseLost { // if it is lost, a callback may still use the buffer
		r.releaseBuffer()
		t.conn.session.Hold(0)
		t.conn.partDone()
	}
	returned = true
}

// readAll reads and handles what comes. It returns why it has stopped: readOn if nothing
// more comes.
func (t *thread) readAll(r *socketReader) outcome {
	c := t.conn
	rest := c.takeRest()
	for {
		if c.life.closing() {
			c.read.parser.DiscardMessages()
		}
		if len(rest) > 0 {
			c.out.startBatch()
			o := c.parse(rest, &t.reading, math.MaxInt)
			if o == leaseLost {
				return o
			}
			c.noteMessage()
			c.endBatch()
			if o != readOn {
				t.drain(r, o)
				return o
			}
		}
		var err error
		if rest, err = t.readSome(r, len(rest)); err != nil {
			c.readFailed(err)
			return readOn
		}
	}
}

// readSome waits for bytes. last is the length of the read before. It may return neither
// bytes nor an error: the phase may have changed.
func (t *thread) readSome(r *socketReader, last int) ([]byte, error) {
	c := t.conn
	betweenMessages := c.read.message == 0
	r.chooseSize(last, betweenMessages)
	t.noteHeld(r)
	b, err := r.read(betweenMessages)
	switch {
	case len(b) > 0:
		c.noteRead()
		return b, nil
	case t.wasRoused(err):
		return nil, nil
	}
	return nil, err
}

// noteHeld reports the memory that is kept during the wait for the rest of a message.
func (t *thread) noteHeld(r *socketReader) {
	n := t.conn.read.parser.BufferSize()
	if t.conn.read.message != 0 {
		n += r.reserved()
	}
	t.conn.reportHeld(n)
}

// drain reads and drops what the peer still sends, until it hangs up: for lingerTime
// after our close frame if the peer has closed, otherwise for CloseTimeout. Closing the
// socket while bytes are on their way to it would reset it, and the peer could lose what
// we have sent.
func (t *thread) drain(r *socketReader, why outcome) {
	c := t.conn
	c.startDraining(why)
	for {
		_, err := r.read(false)
		switch {
		case err == nil, t.wasRoused(err):
		case errors.Is(err, io.EOF):
			c.peerSide.set(peerGone)
			c.finishClose()
			return
		default:
			c.drainFailed(why, err)
			return
		}
	}
}

// awaitSession waits until the session takes messages again.
func (t *thread) awaitSession(*Conn) outcome {
	c := t.conn
	c.endBatch()
	c.reportHeld(c.read.parser.BufferSize() + len(t.reading.rest))
	resumed := make(chan struct{})
	c.activity.stalled.Store(true)
	c.session.Resume(func() { close(resumed) })
	<-resumed
	c.activity.stalled.Store(false)
	return readOn
}

var _ leaseHolder = (*thread)(nil)

func (t *thread) startCallback(*Conn) {
	t.reading.startCallback()
	t.conn.engine.watcher.watchIfNot(t)
}

func (t *thread) lease() *lease { return &t.reading }

// leaveBehind starts another reader, if the callback with that number still runs.
func (t *thread) leaveBehind(number uint64) {
	if t.reading.expire(number) {
		c := t.conn
		c.keepRest(t.reading.rest) // the bytes belong to the reader that lost the lease
		c.read.parser.DisownBuffer()
		c.engine.learnBlocked(c.way.route)
		go t.takeOver()
	}
}

// takeOver is the next reader. It writes what was sent so far, and reads when the session
// takes messages: the reader before may have been told to stop.
func (t *thread) takeOver() {
	t.conn.noteMessage() // the message that was lent is complete
	t.awaitSession(t.conn)
	t.run()
}

// stillBusy starts a writer if messages wait for the end of callbacks.
func (t *thread) stillBusy() {
	if t.conn.out.claim() {
		t.conn.wake()
	}
}

// rouse has a reader that waits for the rest of a message check the phase: it can drop
// what it holds.
func (t *thread) rouse(*Conn) {
	if t.conn.activity.message.Load() == 0 {
		return
	}
	t.roused.Store(true)
	t.interruptRead()
}

// wasRoused reports whether a read has failed with err because of rouse.
func (t *thread) wasRoused(err error) bool {
	if !isTimeout(err) || t.expired.Load() || !t.roused.CompareAndSwap(true, false) {
		return false
	}
	_ = t.nc.SetReadDeadline(time.Time{}) //nolint:errcheck // a broken socket shows when it is read
	if t.expired.Load() {                 // since it was checked
		t.interruptRead()
	}
	return true
}

// expire ends a close that takes too long, or a write that makes no progress.
func (t *thread) expire(*Conn) {
	if t.conn.hasDeadline() {
		return // it has another one since
	}
	if t.conn.life.closing() {
		t.expired.Store(true)
		t.interruptRead()
	}
	t.interruptWaitingWrite()
}

// Errors of the calls below are ignored: a broken socket shows when it is read or written.

// interruptRead has a read that waits fail.
func (t *thread) interruptRead() {
	_ = t.nc.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // see above
}

// interruptWaitingWrite has a write that waits fail, or, once the deadline of the close
// has passed, every write.
func (t *thread) interruptWaitingWrite() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.writing || t.expired.Load() {
		t.mu.cut = true
		_ = t.nc.SetWriteDeadline(time.Unix(1, 0)) //nolint:errcheck // see above
	}
}

// shutWrite implements runner.
func (t *thread) shutWrite(*Conn) (ok bool) {
	half, ok := t.nc.(interface{ CloseWrite() error })
	if ok {
		_ = half.CloseWrite() //nolint:errcheck // see above
	}
	return ok
}

// shut closes the socket.
func (t *thread) shut(*Conn) {
	if t.paced() { // the close of a TLS connection would wait for a writer that waits
		_ = t.nc.SetWriteDeadline(time.Unix(1, 0)) //nolint:errcheck // see above
	}
	_ = t.nc.Close() //nolint:errcheck // see above
}
