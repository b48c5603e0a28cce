package engine

import (
	"io"
	"time"
)

var _ runner = (*loop)(nil)

func (l *loop) attach(c *Conn)       { l.post(c, workWrite) }
func (l *loop) startReading(c *Conn) { l.post(c, workRead) }
func (l *loop) wake(c *Conn)         { l.post(c, workWrite) }
func (l *loop) shut(c *Conn)         { l.post(c, workShut) }
func (l *loop) forget(*Conn)         { l.leave() }

func (l *loop) shutWrite(c *Conn) bool {
	if c.looped.fd >= 0 {
		l.kernel.shutWrite(int(c.looped.fd))
	}
	return true
}

func (l *loop) rouse(c *Conn) {
	if c.activity.message.Load() != 0 || c.activity.stalled.Load() {
		l.post(c, workRead)
	}
}

// schedule runs the callbacks on the loop, unless those of the route block.
func (l *loop) schedule(c *Conn) {
	if c.way.isBlocking(l.engine) {
		c.looped.flags.Add(oneElsewhere)
		go c.runElsewhere()
		return
	}
	l.post(c, workRun)
}

// pace limits what waits in the kernel before the next write.
func (l *loop) pace(c *Conn) {
	if !c.looped.isKeyed() {
		c.looped.flags.Or(flagKeyed)
	}
}

// expire begins to read if Connect takes long, and otherwise ends what takes too long.
func (l *loop) expire(c *Conn) {
	if c.life.phase() == phaseAnswered {
		c.advance(phaseReading)
		return
	}
	l.post(c, workExpire)
}

// aboutToWait hands the loop over if a callback of c has it.
func (l *loop) aboutToWait(c *Conn) {
	if number := l.driving.number.Load(); number%2 == 1 && l.current.Load() == c {
		l.leaveBehind(number)
	}
}

// aboutToWork is aboutToWait, but nothing is learned about the route: its other callbacks
// may be short.
func (l *loop) aboutToWork(c *Conn) {
	if number := l.driving.number.Load(); number%2 == 1 && l.current.Load() == c {
		l.replaceDriver(number)
	}
}

// awaitSession has reading go on when the session takes messages.
func (l *loop) awaitSession(c *Conn) outcome {
	c.looped.set(statePaused, true)
	c.activity.stalled.Store(true)
	c.session.Resume(func() { l.post(c, workResume) })
	return paused
}

func (l *loop) startCallback(*Conn) {
	l.driving.startCallback()
	l.engine.loopWatcher.watchIfNot(l)
}

// noteAnswered starts reading when the answer is written, unless Connect goes on.
func (l *loop) noteAnswered(c *Conn) {
	if c.looped.is(stateAnswered) {
		return
	}
	c.looped.set(stateAnswered, true)
	if c.advance(phaseAnswered) == phaseAnswering {
		c.armGrace()
		return
	}
	l.post(c, workRead)
}

// react handles changes of c's socket. It returns false if the driver has lost the lease.
func (l *loop) react(c *Conn, what changes, buf []byte) bool {
	s := &c.looped
	if what&nowHungUp != 0 {
		s.set(stateHungUp, true)
	}
	if what&nowWritable != 0 && s.is(stateFull) {
		l.write(c, nil)
	}
	if what&(nowReadable|nowHungUp) == 0 {
		return true
	}
	s.set(stateUnread, true)
	return l.read(c, buf)
}

// readOn handles what was read and not parsed, and then reads. It returns false if the
// driver has lost the lease.
func (l *loop) readOn(c *Conn, buf []byte) bool {
	if c.life.closing() && !c.looped.is(stateDraining) {
		c.read.parser.DiscardMessages()
		l.noteHeld(c)
	}
	if c.read.rest != nil && l.mayRead(c) {
		if !l.parse(c, c.takeRest(), true) {
			return false
		}
	}
	return l.read(c, buf)
}

// mayRead reports whether bytes of c may be handled now.
func (l *loop) mayRead(c *Conn) bool {
	p := c.life.phase()
	return p >= phaseReading && p < phaseClosed && !c.looped.is(statePaused|stateReplying|stateEnded)
}

// read reads until nothing more is there, or it is the turn of others. It returns false
// if the driver has lost the lease.
func (l *loop) read(c *Conn, buf []byte) bool {
	s := &c.looped
	for reads := 0; s.is(stateUnread) && c.read.rest == nil && l.mayRead(c); reads++ {
		if reads == readsPerTurn {
			l.post(c, workRead)
			return true
		}
		n, err := l.kernel.read(int(s.fd), buf)
		switch {
		case err == nil:
		case !s.is(stateDraining) && l.endWaits(c): // the next read returns the same
			return true
		default:
			l.readFailed(c, err)
			return true
		}
		// If a change has said that the peer has hung up, no other one will say it.
		s.set(stateUnread, n > 0 && (n == len(buf) || s.is(stateHungUp)))
		if n > 0 && !l.handle(c, buf[:n]) {
			return false
		}
	}
	return true
}

// endWaits reports whether the peer's end has to wait for callbacks that run elsewhere: those
// of messages that came before it. They have as much time as the callbacks of a thread have
// before the thread reads on. Then reading goes on where it has stopped.
func (l *loop) endWaits(c *Conn) bool {
	s := &c.looped
	if s.is(stateEndWaited) || s.flags.Load() < oneElsewhere {
		return false
	}
	s.set(stateEndWaited, true)
	if s.flags.Or(flagEndWaits) < oneElsewhere { // since it was checked
		return false
	}
	s.set(statePaused, true)
	c.activity.stalled.Store(true)
	time.AfterFunc(BlockedAfter, func() { l.post(c, workResume) })
	return true
}

// handle handles what was read. It returns false if the driver has lost the lease.
func (l *loop) handle(c *Conn, b []byte) bool {
	if c.looped.is(stateDraining) {
		return true
	}
	c.noteRead()
	return l.parse(c, b, false)
}

func (l *loop) readFailed(c *Conn, err error) {
	s := &c.looped
	s.set(stateEnded, true)
	s.set(stateUnread, false)
	switch {
	case !s.is(stateDraining):
		c.readFailed(err)
	case err == io.EOF: //nolint:errorlint // the kernel returns it as it is
		c.peerSide.set(peerGone)
		c.finishClose()
	default:
		c.drainFailed(s.why, err)
	}
}

// parse handles b, and writes what callbacks have sent. kept says that b was kept as the
// rest of a read, and is not the buffer of all connections. It returns false if the driver
// has lost the lease.
func (l *loop) parse(c *Conn, b []byte, kept bool) bool {
	if c.life.closing() {
		c.read.parser.DiscardMessages()
	}
	c.out.startBatch()
	l.setCurrent(c, true)
	o := c.parse(b, &l.driving, messagesPerTurn)
	if o == leaseLost {
		return false
	}
	if o == paused || o == turnOver || o == endWaits {
		if rest := l.driving.rest; kept && o == turnOver && len(rest) > 0 {
			c.read.rest = &rest // a copy for each turn would cost many times what was read
		} else {
			c.keepRest(rest)
		}
	}
	c.noteMessage()
	full := c.looped.is(stateFull)
	c.endBatch()
	// With keys, replies that wait are replaced by those to what is read next.
	c.looped.set(stateReplying, !full && c.looped.is(stateFull) && !c.looped.isKeyed())
	if o == peerHasClosed || o == peerViolated {
		c.looped.set(stateDraining, true)
		c.looped.why = o
		c.startDraining(o)
		return true
	}
	if o == turnOver {
		l.post(c, workRead)
	}
	l.noteHeld(c)
	return true
}

// noteHeld reports the memory that is kept until more comes.
func (l *loop) noteHeld(c *Conn) {
	n := c.read.parser.BufferSize()
	if c.read.rest != nil {
		n += len(*c.read.rest)
	}
	c.reportHeld(n)
}

// writeBatch implements runner.
func (l *loop) writeBatch(c *Conn) {
	if pieces, write := c.out.endBatch(!c.looped.isKeyed()); write {
		l.write(c, pieces)
	}
}

// write writes pieces, which the queue has returned or which are nil, and then the rest of
// the queue, until the socket takes no more or it is the turn of others. The driver owns
// the right to write, and gives it up if nothing is left.
func (l *loop) write(c *Conn, pieces [][]byte) {
	s := &c.looped
	s.set(stateFull, false)
	for written := 0; ; {
		if pieces == nil {
			if l.mustWait(c) {
				l.awaitRoom(c)
				return
			}
			pieces = c.out.peek()
		}
		n, size, err := 0, sizeOf(pieces), error(nil)
		if size > 0 && s.fd >= 0 {
			n, err = l.kernel.write(int(s.fd), pieces, size)
		}
		if err != nil {
			c.fail(err)
		}
		more := c.wrote(n)
		if more && n < size && err == nil {
			l.awaitRoom(c)
			return
		}
		if s.is(stateReplying) { // the peer has taken them
			s.set(stateReplying, false)
			l.post(c, workRead)
		}
		if !more {
			return
		}
		if written += n; written >= bytesPerTurn {
			l.post(c, workWrite)
			return
		}
		pieces = nil
	}
}

// awaitRoom goes on writing when the socket takes more. The driver keeps the right to
// write. The one deadline of the connection becomes that of the write, so that reading no
// longer waits for Connect.
func (l *loop) awaitRoom(c *Conn) {
	c.looped.set(stateFull, true)
	c.advance(phaseReading)
	c.armWrite()
}

// mustWait reports whether the kernel has much left to send of a connection that sends
// messages with keys, and a frame is to be started.
func (l *loop) mustWait(c *Conn) bool {
	s := &c.looped
	if !s.isKeyed() || s.fd < 0 {
		return false
	}
	if !s.is(stateLimited) {
		s.set(stateLimited, true)
		l.kernel.limitUnsent(int(s.fd))
	}
	return c.out.between() && !l.kernel.isWritable(int(s.fd))
}
