package engine

import (
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// loop runs many connections with one goroutine, its driver: it waits for all of their
// sockets, reads what has come, runs the callbacks of its messages on the spot, and
// writes what they have sent with one write. What others send to a connection is queued,
// the connection is put on the list of its loop, and the driver writes it in its turn.
//
// A callback may block. Then the lease expires that the driver holds: another goroutine
// becomes the driver and goes on with all connections, the one whose callback blocks
// included, whose messages wait in its session. The goroutine that is left behind only
// finishes the callbacks of that one connection.
//
// Only the driver uses the sockets. Other goroutines have it do so, with post.
type loop struct {
	engine    *Engine
	newKernel func() (kernel, error)
	kernel    kernel // while there is a driver
	driving   lease

	load    atomic.Int64         // connections; written with the lock
	current atomic.Pointer[Conn] // whose callbacks run, or ran last
	sampled *Conn                // current at the last sample; only of the watcher

	mu struct {
		sync.Mutex
		inbox  []*Conn // their looped.work is not 0
		asleep bool    // the driver waits for the kernel, or is about to
		driven bool    // there is a driver
	}

	turn turn // only of the driver
}

// turn is what the driver of a loop is about to do.
type turn struct {
	events  []change
	next, n int     // the next one of events, and how many there are
	todo    []*Conn // from inbox
	done    int     // of todo
	slots   slots
	lent    bool // the callbacks of current are those of a message
	number  int  // of this turn
}

// looped is what a connection on a loop has beside. The driver uses it, but for the atomic
// fields.
type looped struct {
	work  atomic.Uint32 // what the driver has to do; not 0 while the connection is on the list
	flags atomic.Uint32 // see flagKeyed
	state loopState
	why   outcome // of draining
	fd    int32   // the socket; -1 once it is closed
	slot  uint32  // in slots
}

// The flags of a connection on a loop. Above them is the number of goroutines that run its
// callbacks elsewhere, or are about to.
const (
	flagKeyed    = 1 << iota // a message with a key was sent
	flagEndWaits             // the peer's end waits for those goroutines
	oneElsewhere = 1 << 8
)

// work is a set of what the driver of a loop has to do for a connection.
const (
	workWrite  = 1 << iota // has the right to write, and something to write
	workRead               // read on, if there is something to read
	workResume             // the session takes messages again
	workRun                // Session.Run
	workExpire             // the deadline has passed
	workShut               // close the socket
)

// loopState is a set of what a loop knows about a connection.
type loopState uint16

const (
	stateAdded     loopState = 1 << iota // the poller knows the socket
	stateUnread                          // there may be something to read: no further change is reported for it
	stateHungUp                          // the peer has shut its half, or the socket is broken
	stateFull                            // the socket takes no more; the driver keeps the right to write
	statePaused                          // the session takes no messages
	stateReplying                        // the socket has not taken the replies to what was read last: no more is read
	stateDraining                        // what the peer sends is dropped
	stateEnded                           // nothing more is read
	stateLimited                         // little may wait in the kernel
	stateAnswered                        // the answer to the handshake is written
	stateEndWaited                       // the peer's end has waited for callbacks that run elsewhere
)

func (s *looped) is(state loopState) bool { return s.state&state != 0 }

func (s *looped) set(state loopState, on bool) {
	if on {
		s.state |= state
	} else {
		s.state &^= state
	}
}

// Bounds of what a loop does for one connection before it is the turn of others.
const (
	loopBuffer      = 64 << 10 // of a read
	readsPerTurn    = 4
	messagesPerTurn = 256
	runsPerTurn     = 64
	bytesPerTurn    = 256 << 10 // written
	workPerTurn     = 1024      // connections on the list, before the poller is asked again: what they get meanwhile is one write
	workPerYield    = 64        // of them before other goroutines may run, if there is one processor
	eventsPerTurn   = 256
	turnsPerYield   = 8 // turns before other goroutines may run
)

var errWrapped = errors.New("the connection is not simply a TCP or Unix socket, but wrapped, for example by TLS; it is run by a goroutine")

var loopBuffers = sync.Pool{New: func() any { b := make([]byte, loopBuffer); return &b }}

// place decides what runs c, whose socket is nc.
func (e *Engine) place(c *Conn, nc net.Conn) {
	if l := e.leastLoaded(); l != nil {
		err := errWrapped
		if e.isPlain(nc) {
			err = l.admit(c, nc)
		}
		if err == nil {
			return
		}
		e.OffLoop(c.session.Conn(), err)
	}
	c.runner = newThread(c, nc)
}

// isPlain reports whether nc is a connection of package net and nothing else. A wrapper has
// its own way to read and write.
func isPlain(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// leastLoaded returns the loop with the fewest connections, or nil if there are no loops.
func (e *Engine) leastLoaded() *loop {
	if len(e.loops) == 0 {
		return nil
	}
	return slices.MinFunc(e.loops, func(a, b *loop) int { return int(a.load.Load() - b.load.Load()) })
}

// newLoops returns the loops of an engine.
func (e *Engine) newLoops(newKernel func() (kernel, error)) []*loop {
	loops := make([]*loop, runtime.GOMAXPROCS(0))
	for i := range loops {
		loops[i] = &loop{engine: e, newKernel: newKernel}
		loops[i].driving.learns = true
	}
	return loops
}

// admit gives c a place on the loop, and takes over its socket. After an error, nothing
// has changed.
func (l *loop) admit(c *Conn, nc net.Conn) error {
	if err := l.enter(); err != nil {
		return err
	}
	fd, err := l.kernel.take(nc)
	if err != nil {
		l.leave()
		return err //nolint:wrapcheck // it is logged as it is
	}
	c.looped.fd, c.runner = int32(fd), l //nolint:gosec // descriptors are small
	return nil
}

// enter counts one connection more. The first one starts a driver.
func (l *loop) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mu.driven {
		k, err := l.newKernel()
		if err != nil {
			return err
		}
		l.kernel, l.mu.driven, l.mu.asleep = k, true, false
		l.turn.events = make([]change, eventsPerTurn)
		go l.drive()
	}
	l.load.Add(1)
	return nil
}

// leave counts one connection less. After the last one the driver ends.
func (l *loop) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.load.Add(-1) == 0 && l.mu.asleep {
		l.mu.asleep = false
		l.kernel.wake()
	}
}

// post has the driver do work for c.
func (l *loop) post(c *Conn, work uint32) {
	if c.looped.work.Or(work) != 0 {
		return // it is on the list
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mu.driven {
		c.looped.work.Store(0)
		return // c was the last connection, and nothing of it is left: a timer is late
	}
	l.mu.inbox = append(l.mu.inbox, c)
	if l.mu.asleep {
		l.mu.asleep = false
		l.kernel.wake()
	}
}

// drive does what there is to do until the lease is lost or no connection is left.
func (l *loop) drive() {
	over := false
	defer func() {
		if !over { // a callback has ended the goroutine
			if c := l.replaceDriver(l.driving.number.Load()); c != nil {
				l.engine.learnBlocked(c.way.route)
				c.doneElsewhere()
			}
		}
	}()
	buf := loopBuffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	for l.takeTurn(*buf) {
	}
	over = true
	l.mu.Lock()
	defer l.mu.Unlock()  // leaveBehind has copied what it needs of the buffer
	loopBuffers.Put(buf) // no callback uses it now
}

// takeTurn handles what the kernel has reported, and some of the list, and then asks the
// kernel again. It returns false if the driver has lost the lease, or if there is nothing
// left to drive.
func (l *loop) takeTurn(buf []byte) bool {
	t := &l.turn
	for t.next < t.n {
		e := t.events[t.next]
		t.next++
		if c := t.slots.find(e.key); c != nil && !l.react(c, e.what, buf) {
			return false
		}
	}
	for i := range workPerTurn {
		c := l.nextTodo(i == 0)
		if c == nil {
			break
		}
		if l.engine.turnsPerYield == 1 && i%workPerYield == workPerYield-1 {
			runtime.Gosched()
		}
		if !l.work(c, buf) {
			return false
		}
	}
	return l.await()
}

// nextTodo returns the next connection of the list, or nil. Only the first call of a turn
// takes what was added to the list: otherwise connections that put themselves back would be
// served again and again before the kernel is asked for others.
func (l *loop) nextTodo(first bool) *Conn {
	t := &l.turn
	if t.done == len(t.todo) {
		if !first {
			return nil
		}
		clear(t.todo)
		l.mu.Lock()
		t.todo, l.mu.inbox, t.done = l.mu.inbox, t.todo[:0], 0
		l.mu.Unlock()
		if len(t.todo) == 0 {
			return nil
		}
	}
	t.done++
	return t.todo[t.done-1]
}

// await asks the kernel for changes. It waits for them if there is nothing else to do. It
// returns false if there is nothing left to drive.
func (l *loop) await() bool {
	t := &l.turn
	t.number++
	if t.number%l.engine.turnsPerYield == 0 {
		runtime.Gosched() // calls that never wait do not let other goroutines run
	}
	t.n, t.next = l.kernel.poll(t.events), 0
	if t.n > 0 || t.done < len(t.todo) {
		return true
	}
	l.mu.Lock()
	switch {
	case len(l.mu.inbox) > 0:
		l.mu.Unlock()
		return true
	case l.load.Load() == 0:
		l.mu.driven = false
		l.kernel.stop()
		l.turn = turn{}
		l.mu.inbox = nil
		l.mu.Unlock()
		return false
	}
	l.mu.asleep = true
	l.mu.Unlock()
	t.n = l.kernel.sleep(t.events)
	l.mu.Lock()
	l.mu.asleep = false
	l.mu.Unlock()
	return true
}

// work does what was posted for c. It returns false if the driver has lost the lease.
func (l *loop) work(c *Conn, buf []byte) bool {
	s := &c.looped
	work := s.work.Swap(0)
	if !s.is(stateAdded) && s.fd >= 0 {
		l.add(c)
	}
	if work&workShut != 0 {
		l.close(c)
	}
	if work&workExpire != 0 {
		l.expireNow(c)
	}
	if work&workWrite != 0 {
		l.write(c, nil)
		l.noteAnswered(c)
	}
	if work&workResume != 0 {
		s.set(statePaused, false)
		c.activity.stalled.Store(false)
	}
	if work&(workRead|workResume) != 0 {
		if work&workRun != 0 {
			l.post(c, workRun) // if the lease is lost, the next driver has to find it
		}
		return l.readOn(c, buf)
	}
	return work&workRun == 0 || l.runSession(c)
}

// add has the kernel report what c's socket does.
func (l *loop) add(c *Conn) {
	s := &c.looped
	s.set(stateAdded, true)
	var key uint64
	s.slot, key = l.turn.slots.add(c)
	if err := l.kernel.add(int(s.fd), key); err != nil {
		c.fail(err)
	}
}

// close closes the socket.
func (l *loop) close(c *Conn) {
	s := &c.looped
	l.turn.slots.remove(s.slot) // first, so that no change reaches c
	l.kernel.close(int(s.fd))
	s.fd = -1
	c.read.rest = nil
	c.session.Hold(0)
	c.partDone()
}

// expireNow ends a close that takes too long, or a write that makes no progress.
func (l *loop) expireNow(c *Conn) {
	switch s := &c.looped; {
	case c.life.phase() == phaseClosed, c.hasDeadline():
		// It has another deadline since.
	case s.is(stateDraining):
		c.drainFailed(s.why, errNoAnswer)
	case c.life.closing():
		c.fail(errNoAnswer)
	case s.is(stateFull):
		c.fail(errNoRead)
	}
}

// runSession runs callbacks that are due. It returns false if the driver has lost the
// lease.
func (l *loop) runSession(c *Conn) bool {
	c.out.startBatch()
	l.setCurrent(c, false)
	more := true
	for n := 0; more && n < runsPerTurn && !l.driving.hurry.Load(); n++ {
		before := l.driving.number.Load()
		l.startCallback(c) // for each of them: many short ones do not block
		more = c.session.Run(1)
		if !l.driving.endCallback(before) {
			if more {
				c.runElsewhere()
			} else {
				c.doneElsewhere()
			}
			return false
		}
	}
	l.writeBatch(c)
	if more {
		l.schedule(c)
	}
	return true
}

func (l *loop) setCurrent(c *Conn, lent bool) {
	if l.current.Load() != c {
		l.current.Store(c)
	}
	l.turn.lent = lent
	if l.driving.hurry.Load() {
		l.driving.hurry.Store(false)
	}
}

var _ leaseHolder = (*loop)(nil)

func (l *loop) lease() *lease { return &l.driving }

// leaveBehind has another goroutine drive, if the callback with that number still runs.
func (l *loop) leaveBehind(number uint64) {
	if c := l.replaceDriver(number); c != nil {
		l.engine.learnBlocked(c.way.route)
	}
}

// replaceDriver has another goroutine drive, if the callback with that number still runs,
// and returns the connection of the callback. Otherwise it returns nil.
func (l *loop) replaceDriver(number uint64) *Conn {
	c, lent, ok := l.expireLease(number)
	if !ok {
		return nil
	}
	l.engine.counters.leftBehind.Add(1)
	go l.takeOver(c, lent)
	return c
}

// expireLease takes the lease from the driver, if the callback with that number still
// runs: that of a message which was lent to c, or another one of c. The driver that has
// lost it may return at once, and then waits for the lock before it gives up its buffer.
func (l *loop) expireLease(number uint64) (c *Conn, lent, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.driving.expire(number) {
		return nil, false, false
	}
	c, lent = l.current.Load(), l.turn.lent
	c.looped.flags.Add(oneElsewhere) // the goroutine that is left behind
	if lent {
		c.keepRest(l.driving.rest) // the bytes are in that buffer
		c.read.parser.DisownBuffer()
	}
	return c, lent, true
}

// takeOver is the next driver. It writes what callbacks of c have sent so far, and reads c
// on when the session takes messages: the driver before may have been told to stop.
func (l *loop) takeOver(c *Conn, lent bool) {
	if lent {
		c.noteMessage() // the message that was lent is complete
		l.awaitSession(c)
		c.read.parser.ReleaseBuffer()
		l.noteHeld(c)
	}
	l.writeBatch(c)
	l.drive()
}

// stillBusy has the driver turn to other connections, if it has been busy with the same one
// since the last sample.
func (l *loop) stillBusy() {
	c := l.current.Load()
	if c == l.sampled {
		l.driving.hurry.Store(true)
	}
	l.sampled = c
}

// onLoop reports whether a loop runs the connection.
func (c *Conn) onLoop() bool {
	_, ok := c.runner.(*loop)
	return ok
}
