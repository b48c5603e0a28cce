package engine

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// outcome is what became of bytes that were parsed.
type outcome uint8

const (
	readOn        outcome = iota // all of them are handled
	leaseLost                    // another goroutine reads now; this one must touch nothing
	peerHasClosed                // the peer's close frame was among them: nothing follows
	peerViolated                 // the peer broke the rules: what follows means nothing
)

// runReader reads until nothing more comes or the lease is lost. The caller is the
// reader.
func (c *Conn) runReader() {
	returned := false
	defer func() {
		if !returned { // a callback has ended the goroutine
			c.leaveBehind(c.reading.number.Load())
		}
	}()
	r := newSocketReader(c.nc)
	if c.readAll(r) != leaseLost { // if it is lost, a callback may still use the buffer
		r.releaseBuffer()
		c.session.Hold(0)
		c.partDone()
	}
	returned = true
}

// readAll reads and handles what comes. It returns why it has stopped: readOn if nothing
// more comes.
func (c *Conn) readAll(r *socketReader) outcome {
	rest := c.read.rest
	c.read.rest = nil
	for {
		if c.life.closing() {
			c.read.parser.DiscardMessages()
		}
		if len(rest) > 0 {
			c.out.startBatch()
			o := c.parse(rest)
			if o == leaseLost {
				return o
			}
			c.noteMessage()
			c.endBatch()
			if o != readOn {
				c.drain(r, o)
				return o
			}
		}
		var err error
		if rest, err = c.readSome(r, len(rest)); err != nil {
			c.readFailed(err)
			return readOn
		}
	}
}

// readSome waits for bytes. last is the length of the read before. It may return neither
// bytes nor an error: the phase may have changed.
func (c *Conn) readSome(r *socketReader, last int) ([]byte, error) {
	r.chooseSize(last, c.read.message == 0)
	c.noteHeld(r)
	b, err := r.read()
	switch {
	case len(b) > 0:
		c.noteRead(len(b))
		return b, nil
	case c.wasRoused(err):
		return nil, nil
	}
	return nil, err
}

// noteRead records n bytes for the keep-alive check, and learns whether there was one
// since the last read.
func (c *Conn) noteRead(n int) {
	c.activity.received.Add(uint32(n)) //nolint:gosec // the buffer is smaller
	if ticks := c.activity.ticks.Load(); ticks != c.read.ticks {
		c.read.ticks = ticks
		c.read.parser.ResetControls()
	}
}

// noteMessage records for the keep-alive check which message is incomplete, and how much
// of it has come.
func (c *Conn) noteMessage() {
	m := c.read.parser.Incomplete()
	if m != 0 {
		c.activity.payload.Store(uint32(c.read.parser.PayloadLen())) //nolint:gosec // differences are right when it wraps
	}
	if m != c.read.message {
		c.read.message = m
		c.activity.message.Store(m)
	}
}

// noteHeld reports the memory that is kept during the wait for the rest of a message.
func (c *Conn) noteHeld(r *socketReader) {
	n := c.read.parser.BufferSize()
	if c.read.message != 0 {
		n += r.reserved()
	}
	c.reportHeld(n)
}

// reportHeld reports that n bytes are held of what has come and is not complete.
func (c *Conn) reportHeld(n int) {
	if n != c.read.held {
		c.read.held = n
		c.session.Hold(n)
	}
}

// endBatch writes what the callbacks of a read have sent.
func (c *Conn) endBatch() {
	c.read.parser.ReleaseBuffer()
	if c.out.isBatching() {
		c.writeBatch()
	}
}

// readFailed ends the connection because nothing more comes. A peer that has hung up may
// have closed its half only: what is queued for it is still written.
func (c *Conn) readFailed(err error) {
	switch {
	case errors.Is(err, io.EOF):
		c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: errHungUp})
		c.startClosing()
		c.out.finish()
		c.peerSide.set(peerGone)
		c.finishClose()
		return
	case isTimeout(err):
		err = fmt.Errorf("the peer did not answer our close frame in time: %w", err)
	}
	c.fail(err)
}

var errHungUp = errors.New("the peer hung up without a close frame")

// drain reads and drops what the peer still sends, until it hangs up: for lingerTime
// after our close frame if the peer has closed, otherwise for CloseTimeout. Closing the
// socket while bytes are on their way to it would reset it, and the peer could lose what
// we have sent.
func (c *Conn) drain(r *socketReader, why outcome) {
	c.read.parser.DiscardMessages()
	c.reportHeld(0)
	if why == peerViolated {
		c.peerSide.set(peerIgnored)
	}
	c.finishClose()
	for {
		_, err := r.read()
		switch {
		case err == nil, c.wasRoused(err):
		case errors.Is(err, io.EOF):
			c.peerSide.set(peerGone)
			c.finishClose()
			return
		case why == peerHasClosed && c.out.finished():
			c.closeCleanly()
			return
		default:
			c.fail(err)
			return
		}
	}
}

// parse handles b, up to its end or to what ends the reading.
func (c *Conn) parse(b []byte) outcome {
	for len(b) > 0 {
		it, rest, ok, err := c.read.parser.Next(b)
		if err != nil {
			c.failViolated(err)
			return peerViolated
		}
		if !ok {
			break
		}
		b = rest
		if o := c.handle(it, b); o != readOn {
			return o
		}
	}
	return readOn
}

// failViolated ends the connection because the peer broke the rules. It is counted unless
// the connection had ended before.
func (c *Conn) failViolated(err error) {
	if c.session.Fail(err) {
		c.engine.counters.countViolation(err)
	}
}

func (c *Conn) handle(it frame.Item, rest []byte) outcome {
	switch it.OpCode {
	case ws.OpPing:
		c.sendPong(it.Data)
	case ws.OpPong:
		c.receivePong(it.Data)
	case ws.OpClose:
		s, err := frame.ParseClose(it.Data)
		if err != nil {
			c.failViolated(err)
			return peerViolated
		}
		c.closedByPeer(s)
		return peerHasClosed
	default:
		return c.lend(protocol.Message{Kind: frame.KindOf(it.OpCode), Data: it.Data}, rest)
	}
	return readOn
}

// sendPong answers a ping, unless the peer does not read anyway.
func (c *Conn) sendPong(payload []byte) {
	var buf [2 + ws.MaxControlFramePayloadSize]byte
	if c.out.offerControl(frame.Append(buf[:0], ws.OpPong, payload)) {
		c.wake()
	}
}

// lend hands a message over to the session, which runs the callback on this goroutine.
// rest is what the next reader parses if the callback blocks and the lease expires.
func (c *Conn) lend(m protocol.Message, rest []byte) outcome {
	c.read.rest = rest
	before := c.reading.number.Load()
	more := c.session.ReceiveChecked(m) // the parser has checked text
	if !c.reading.endCallback(before) {
		return leaseLost
	}
	if !more {
		c.engine.counters.pauses.Add(1)
		c.awaitSession()
	}
	return readOn
}

// Busy marks that the message which is lent has a callback, on the goroutine that reads.
// Before that mark no other goroutine may take over: the session would get the next message
// first.
func (c *Conn) Busy() {
	c.reading.startCallback()
	if !c.reading.watched.Load() {
		c.engine.watcher.watch(c)
	}
}

// awaitSession waits until the session takes messages again.
func (c *Conn) awaitSession() {
	c.endBatch()
	c.reportHeld(c.read.parser.BufferSize() + len(c.read.rest))
	resumed := make(chan struct{})
	c.activity.stalled.Store(true)
	c.session.Resume(func() { close(resumed) })
	<-resumed
	c.activity.stalled.Store(false)
}

var _ leaseHolder = (*Conn)(nil)

func (c *Conn) lease() *lease { return &c.reading }

// leaveBehind starts another reader, if the callback with that number still runs.
func (c *Conn) leaveBehind(number uint64) {
	if c.reading.expire(number) {
		c.read.rest = slices.Clone(c.read.rest) // the bytes belong to the reader that lost the lease
		c.read.parser.DisownBuffer()
		go c.takeOver()
	}
}

// takeOver is the next reader. It writes what was sent so far, and reads when the session
// takes messages: the reader before may have been told to stop.
func (c *Conn) takeOver() {
	c.noteMessage() // the message that was lent is complete
	c.awaitSession()
	c.runReader()
}

// flushBatch starts a writer if messages wait for the end of callbacks.
func (c *Conn) flushBatch() {
	if c.out.claim() {
		c.wake()
	}
}
