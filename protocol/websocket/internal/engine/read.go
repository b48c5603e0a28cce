package engine

import (
	"errors"
	"io"
	"math"
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
	paused                       // the session takes no messages for now
	turnOver                     // it is the turn of other connections
	endWaits                     // the peer's close has to wait for callbacks
)

// noteRead records for the keep-alive check that bytes have come. The first that come
// after a check also begin a new count of control frames.
func (c *Conn) noteRead() {
	if !c.activity.received.Load() {
		c.activity.received.Store(true)
		c.read.parser.ResetControls()
	}
}

// keepRest keeps a copy of b, which was read and is not parsed yet.
func (c *Conn) keepRest(b []byte) {
	if len(b) > 0 {
		b = slices.Clone(b)
		c.read.rest = &b
	}
}

// takeRest returns what was kept.
func (c *Conn) takeRest() (rest []byte) {
	if c.read.rest != nil {
		rest, c.read.rest = *c.read.rest, nil
	}
	return rest
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

// reportHeld reports that n bytes are held of what has come and is not complete.
func (c *Conn) reportHeld(n int) {
	if held := uint32(min(int64(n), math.MaxUint32)); held != c.read.held { //nolint:gosec // see the bound
		c.read.held = held
		c.session.Hold(n)
	}
}

// endBatch writes what the callbacks of a read have sent.
func (c *Conn) endBatch() {
	c.read.parser.ReleaseBuffer()
	if c.out.isBatching() {
		c.runner.writeBatch(c)
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
		err = errNoAnswer
	}
	c.fail(err)
}

var errHungUp = errors.New("the peer hung up without a close frame")

// startDraining drops what the peer still sends, because it has closed or has broken the
// rules.
func (c *Conn) startDraining(why outcome) {
	c.read.parser.DiscardMessages()
	c.reportHeld(0)
	if why == peerViolated {
		c.peerSide.set(peerIgnored)
	}
	c.finishClose()
}

// drainFailed ends the connection whose peer has not hung up in time, or has reset it. That
// is in order if the peer has closed and has all that we had for it.
func (c *Conn) drainFailed(why outcome, err error) {
	if why == peerHasClosed && c.out.finished() {
		c.closeCleanly()
		return
	}
	c.fail(err)
}

// closeWaits reports whether the peer's close frame, which l has read, has to wait for
// callbacks. Then it is what is read next.
func (c *Conn) closeWaits(payload []byte, l *lease) bool {
	on, ok := c.runner.(*loop)
	if !ok || !on.endWaits(c) {
		return false
	}
	const fin, masked = 0x80, 0x80
	rest := make([]byte, 0, ws.MinHeaderSize+4+len(payload))
	rest = append(rest, fin|byte(ws.OpClose), masked|byte(len(payload)), 0, 0, 0, 0) //nolint:gosec // a control frame is short
	rest = append(rest, payload...)
	l.rest = rest
	return true
}

// parse handles b, up to its end or to what ends the reading. The caller holds l. It hands
// over at most so many messages.
func (c *Conn) parse(b []byte, l *lease, most int) outcome {
	d := c.way.deflate
	for len(b) > 0 {
		it, rest, ok, err := d.next(&c.read.parser, b)
		long := d != nil && d.tookLong(&c.read.parser, most)
		if err != nil {
			c.failViolated(err)
			return peerViolated
		}
		b = rest
		if !ok {
			if long && len(b) > 0 {
				l.rest = b
				return turnOver
			}
			continue // to the end, unless inflating has taken long
		}
		if it.OpCode.IsData() {
			if o := c.lend(protocol.Message{Kind: frame.KindOf(it.OpCode), Data: it.Data}, b, l); o != readOn {
				return o
			}
			most--
			if most == 0 || long || l.hurry.Load() {
				return turnOver
			}
		} else if o := c.handleControl(it, l); o != readOn {
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

// handleControl handles a control frame, which l has read.
func (c *Conn) handleControl(it frame.Item, l *lease) outcome {
	switch it.OpCode { //nolint:exhaustive // the others are of messages
	case ws.OpPing:
		c.sendPong(it.Data)
	case ws.OpPong:
		c.receivePong(it.Data)
	case ws.OpClose:
		if c.closeWaits(it.Data, l) {
			return endWaits
		}
		s, err := frame.ParseClose(it.Data)
		if err != nil {
			c.failViolated(err)
			return peerViolated
		}
		c.closedByPeer(s)
		return peerHasClosed
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

// lend hands a message over to the session, which runs the callback on this goroutine,
// unless callbacks of the route block. rest is what the next reader parses if the callback
// blocks and the lease l expires, or if this one has to stop.
func (c *Conn) lend(m protocol.Message, rest []byte, l *lease) outcome {
	l.rest = rest
	var more bool
	if l.learns && c.way.isBlocking(c.engine) {
		more = c.session.EnqueueChecked(m)
	} else {
		before := l.number.Load()
		more = c.session.ReceiveChecked(m) // the parser has checked text
		if !l.endCallback(before) {
			if l.learns {
				c.doneElsewhere()
			}
			return leaseLost
		}
	}
	if !more {
		c.engine.counters.pauses.Add(1)
		return c.runner.awaitSession(c)
	}
	return readOn
}

// Busy marks that the message which is lent has a callback, on the goroutine that reads.
// Before that mark no other goroutine may take over: the session would get the next message
// first.
func (c *Conn) Busy() { c.runner.startCallback(c) }
