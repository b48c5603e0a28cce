package websocket

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// outcome is what became of the bytes that were parsed.
type outcome uint8

const (
	readOn    outcome = iota // all of them are dealt with
	roleLost                 // another goroutine reads now; touch nothing
	peerLeft                 // the peer's close has come: nothing follows
	peerBroke                // the peer broke the rules: what follows means nothing
)

// read has the role of reading until the connection is over or the role is
// lost. rest is what has been read already.
func (c *conn) read(rest []byte) {
	returned := false
	defer func() {
		if !returned { // a callback has ended the goroutine
			c.takeOver(c.turn.Load())
		}
	}()
	in := newInput(c.nc)
	lost := c.readLoop(in, rest)
	if !lost { // otherwise the new reader may look at its bytes
		in.put()
		c.session.Hold(0)
		c.partOver(partReading)
	}
	returned = true
}

func (c *conn) readLoop(in *input, rest []byte) (lost bool) {
	for {
		if c.end.closing.Load() && !c.role.parser.DiscardsMessages() {
			c.role.parser.DiscardMessages()
		}
		if len(rest) > 0 {
			c.role.holds = c.out.hold()
			o := c.parse(rest)
			if o == roleLost {
				return true
			}
			c.noteMessage()
			c.endTurn()
			switch o {
			case peerBroke:
				c.dropIncomplete()
				c.discard(in)
				return false
			case peerLeft:
				c.dropIncomplete()
				c.linger(in)
				return false
			case readOn, roleLost:
			}
		}
		in.adapt(len(rest), c.role.message == 0)
		c.noteHeld(in)
		read, err := in.read()
		if len(read) == 0 && err != nil {
			if c.wasRoused(err) {
				rest = nil
				continue
			}
			c.unreadable(err)
			return false
		}
		c.noteRead(len(read))
		rest = read
	}
}

// noteRead tells those who look that something has come, and learns whether they
// have looked since.
func (c *conn) noteRead(n int) {
	c.looked.received.Add(uint32(n)) //nolint:gosec // the buffer is smaller
	if times := c.looked.times.Load(); times != c.role.times {
		c.role.times = times
		c.role.parser.ResetControls()
	}
}

// noteMessage records for the next look which message is incomplete, and how much of
// it has come.
func (c *conn) noteMessage() {
	m := c.role.parser.Incomplete()
	if m != 0 {
		c.looked.payload.Store(uint32(c.role.parser.PayloadLen())) //nolint:gosec // differences are right when it wraps
	}
	if m != c.role.message {
		c.role.message = m
		c.looked.message.Store(m)
	}
}

// noteHeld reports what waits in memory for the rest of a message.
func (c *conn) noteHeld(in *input) {
	n := c.role.parser.BufferSize()
	if c.role.message != 0 {
		n += in.waits()
	}
	c.holds(n)
}

// holds reports that n bytes are held for what has come and is not complete.
func (c *conn) holds(n int) {
	if n != c.role.held {
		c.role.held = n
		c.session.Hold(n)
	}
}

// dropIncomplete drops what has come of a message that nobody will get.
func (c *conn) dropIncomplete() {
	c.role.parser.DiscardMessages()
	c.holds(0)
}

// rouse has a reader that waits for the rest of a message look again, because it can
// drop what it has: we are closing.
func (c *conn) rouse() {
	if c.looked.message.Load() == 0 {
		return
	}
	c.end.roused.Store(true)
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a broken socket shows when it is read
}

// wasRoused reports whether a read has failed with err because of rouse.
func (c *conn) wasRoused(err error) bool {
	if !isTimeout(err) || !c.end.roused.CompareAndSwap(true, false) {
		return false
	}
	c.boundClose()
	return true
}

// endTurn writes what the callbacks of a turn have sent.
func (c *conn) endTurn() {
	c.role.parser.ReleaseBuffer()
	if !c.role.holds {
		return
	}
	c.role.holds = false
	if c.paced() && c.out.hurry() {
		go c.write() // may have to wait
		return
	}
	if segments, mine := c.out.takeTurn(); mine {
		c.flushTurn(segments)
	}
}

// unreadable ends the connection because nothing more comes. A peer that has hung
// up may have closed its half only: what is queued for it is written all the same.
func (c *conn) unreadable(err error) {
	switch {
	case errors.Is(err, io.EOF):
		c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: errHungUp})
		c.end.closing.Store(true)
		c.boundClose()
		c.out.finish()
		c.end.hungUp.Store(true)
		c.afterWriting()
		return
	case isTimeout(err):
		err = fmt.Errorf("the peer did not answer our close frame in time: %w", err)
	}
	c.broke(err)
}

var errHungUp = errors.New("the peer hung up without a close frame")

// linger waits until the peer hangs up: for lingerTime behind our last words if it
// has closed, otherwise for CloseTimeout. To close the socket while something is on
// its way here would reset it, and eat what we have said.
func (c *conn) linger(in *input) {
	c.afterWriting()
	for {
		_, err := in.read()
		switch {
		case err == nil, c.wasRoused(err):
		case errors.Is(err, io.EOF):
			c.end.hungUp.Store(true)
			c.afterWriting()
			return
		case c.end.peerDone.Load() && c.out.finished():
			c.cut()
			return
		default:
			c.broke(err)
			return
		}
	}
}

// discard reads and drops what the peer still sends, so that closing the socket
// does not reset it and eat the close frame on its way. Close has set the
// deadline.
func (c *conn) discard(in *input) {
	c.end.deaf.Store(true)
	c.linger(in)
}

// parse deals with b, up to the end or to what ends the reading.
func (c *conn) parse(b []byte) outcome {
	for len(b) > 0 {
		it, rest, ok, err := c.role.parser.Next(b)
		if err != nil {
			c.violated(err)
			return peerBroke
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

// violated ends the connection because the peer broke the rules. Of one that has
// ended they are not counted.
func (c *conn) violated(err error) {
	if c.session.Fail(err) {
		c.server.stats.violated(err)
	}
}

func (c *conn) handle(it frame.Item, rest []byte) outcome {
	switch it.OpCode {
	case ws.OpPing:
		c.pong(it.Data)
	case ws.OpPong:
		c.ponged(it.Data)
	case ws.OpClose:
		s, err := frame.ParseClose(it.Data)
		if err != nil {
			c.violated(err)
			return peerBroke
		}
		c.peerClosed(s)
		return peerLeft
	default:
		return c.lend(messageOf(it), rest)
	}
	return readOn
}

// messageOf returns the message of an item, whose text the parser has checked.
func messageOf(it frame.Item) protocol.Message {
	m := protocol.Message{Kind: frame.KindOf(it.OpCode), Data: it.Data}
	if m.Kind == protocol.KindText {
		return protocol.Checked(m)
	}
	return m
}

// lend hands a message to the session, which runs the callback here. If that
// takes long the watcher gives the role of reading to another goroutine.
func (c *conn) lend(m protocol.Message, rest []byte) outcome {
	c.role.rest = rest
	turn := c.turn.Load()
	more := c.session.Receive(m)
	if c.turn.Load() != turn && !c.turn.CompareAndSwap(turn+1, turn+2) {
		return roleLost
	}
	if !more {
		c.server.stats.pauses.Add(1)
		c.stall()
	}
	return readOn
}

// Busy takes note that the message which is lent has a callback, on the
// goroutine that reads. Before, nobody may take over reading: what is read next
// would reach the session first.
func (c *conn) Busy() {
	c.turn.Add(1)
	if !c.watched.Load() {
		c.server.watcher.watch(c)
	}
}

// stall waits until the session takes messages again. It happens only beside a
// callback that is busy.
func (c *conn) stall() {
	c.endTurn()
	c.holds(c.role.parser.BufferSize() + len(c.role.rest))
	resumed := make(chan struct{})
	c.looked.stalled.Store(true)
	c.session.Resume(func() { close(resumed) })
	<-resumed
	c.looked.stalled.Store(false)
}

// takeOver gives the role of reading to a new goroutine, if turn is still the
// odd one of a message that is lent.
func (c *conn) takeOver(turn uint64) {
	if turn%2 == 1 && c.turn.CompareAndSwap(turn, turn+1) {
		c.role.rest = slices.Clone(c.role.rest) // its bytes belong to the reader that lost
		c.role.parser.DisownBuffer()
		go c.carryOn()
	}
}

// carryOn writes what was sent so far, and reads when the session takes
// messages; the reader before may have been told to stop.
func (c *conn) carryOn() {
	c.noteMessage() // the one that was lent is complete
	c.stall()
	rest := c.role.rest
	c.role.rest = nil
	c.read(rest)
}
