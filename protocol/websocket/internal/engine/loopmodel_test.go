package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// TestLoopModel has random peers talk to a random application over loops whose poller and
// sockets are fakes, in fake time, and checks what the engine promises. WYE_SEED=n runs
// that one seed again, WYE_SEEDS=n those from 1 to n. A seed decides what happens; which
// goroutine is first is up to the scheduler, so a failure may need several runs.
func TestLoopModel(t *testing.T) {
	t.Parallel()
	first, last := testkit.Seeds(t, 8)
	if last > first && !wantsSeeds() {
		from := rand.Uint64N(1 << 32)
		first, last = first+from, last+from
	}
	var seen modelSights
	for seed := first; seed <= last && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) { newLoopModel(t, seed).run(&seen) })
	}
	t.Logf("%+v", seen)
	if last-first >= 200 && !t.Failed() && (seen.leftBehind == 0 || seen.pauses == 0 || seen.full == 0 || seen.restarts == 0 || seen.writeTimeouts == 0 || seen.closeTimeouts == 0) {
		t.Errorf("the seeds have not led to all that is checked: %+v", seen)
	}
}

// modelSights is how often the runs have come by what is hard to reach.
type modelSights struct{ leftBehind, pauses, full, restarts, writeTimeouts, closeTimeouts int64 }

// loopModel is one run.
type loopModel struct {
	t        *testing.T
	seed     uint64
	net      *fakeNet
	e        *testEngine
	over     atomic.Bool // every connection is being closed by the server
	released chan struct{}
	cuts     atomic.Bool

	mu struct {
		sync.Mutex
		random  *rand.Rand
		members []*modelMember
		blocked []chan struct{}
	}
}

// modelMember is one connection: its plan, and what the application and the peer have
// seen.
type modelMember struct {
	m       *loopModel
	id      int
	polite  bool // nothing ends the connection but the peer's close, when all is answered
	ordered bool // no message may be dropped
	socket  *fakeSocket
	c       *Conn
	conn    *protocol.Conn
	random  *rand.Rand // of the peer's writer

	callbacks atomic.Int32 // that run now
	slow      atomic.Int32 // callbacks that wait now
	accepted  atomic.Bool
	gone      atomic.Int32 // calls of Disconnect
	handled   atomic.Int64 // messages
	posted    atomic.Int64 // events
	events    atomic.Int64 // that were handled
	echoes    int          // only in callbacks
	keyed     int
	closeAt   atomic.Int64 // when the connection was first seen to close; 0: not yet
	fullAt    time.Time    // when bytes were first seen to wait; zero: none wait
	codes     sync.Map     // of closes that are allowed

	out struct { // to this member, by sender
		sync.Mutex
		next map[int]int
	}

	// Of the peer.
	writing chan struct{} // a lock that may be held for long
	sent    atomic.Int64
	stalled atomic.Bool
	pongs   sync.Map // payloads that were answered
	done    chan struct{}
	closed  atomic.Int32 // the code of the server's close frame
}

func newLoopModel(t *testing.T, seed uint64) *loopModel {
	t.Helper()
	m := &loopModel{t: t, seed: seed, net: newFakeNet(seed), released: make(chan struct{})}
	m.mu.random = rand.New(rand.NewPCG(seed, 2))
	return m
}

// n returns a random number below n.
func (m *loopModel) n(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.random.IntN(n)
}

// pause returns a random time of up to n quarters of a millisecond.
func (m *loopModel) pause(n int) time.Duration { return time.Duration(1+m.n(n)) * time.Millisecond / 4 }

func (m *loopModel) run(seen *modelSights) {
	m.e = newTestEngine(Config{
		Limits:  protocol.Limits{ReadAhead: []int{0, 0, 500, 3000}[m.n(4)]},
		OffLoop: func(_ *protocol.Conn, err error) { m.net.faultf("a connection is not on a loop: %v", err) },
	})
	m.e.sessions.Logger = slog.New(slog.DiscardHandler)
	m.e.isPlain = func(net.Conn) bool { return true }
	m.e.loops = m.e.newLoops(m.net.newKernel)[:1+m.n(runtime.GOMAXPROCS(0))]
	var peers sync.WaitGroup
	for wave := range 1 + m.n(3) {
		for range 1 + m.n(5) {
			peers.Go(m.newMember().live)
			m.look(m.n(4))
		}
		if wave > 0 {
			seen.restarts++
		}
		m.look(m.n(60))
		if m.n(3) == 0 {
			m.look(400)
		}
	}
	m.finish(&peers)
	seen.leftBehind += m.e.counters.leftBehind.Load()
	seen.writeTimeouts += m.e.counters.writeTimeouts.Load()
	seen.closeTimeouts += m.e.counters.closeTimeouts.Load()
	seen.pauses += m.e.counters.pauses.Load()
	m.net.mu.Lock()
	seen.full += m.net.mu.filled
	m.net.mu.Unlock()
	for _, f := range m.net.takeFaults() {
		m.t.Errorf("WYE_SEED=%d: %s", m.seed, f)
	}
}

// finish lets the peers finish, closes what is left, and checks that nothing is.
func (m *loopModel) finish(peers *sync.WaitGroup) {
	gone := make(chan struct{})
	go func() {
		peers.Wait()
		m.e.finish()
		close(gone)
	}()
	begun := time.Now()
	at := func(d time.Duration) bool { return time.Since(begun) >= d }
	for closing, cutting := false, false; ; {
		select {
		case <-gone:
			m.end()
			return
		case <-time.After(m.pause(100) * (1 + time.Since(begun)/time.Second)): //nolint:durationcheck // ever longer
		}
		m.release(1 + m.n(3))
		m.look(5)
		switch {
		case !closing && at(30*time.Second): // for peers that wait for the server's close
			closing = true
			m.closeAll()
		case !cutting && at(60*time.Second):
			cutting = true
			m.cuts.Store(true)
			m.e.CutAll(errors.New("the server has waited long enough"))
		case at(100 * time.Second):
			m.reportLeft()
		}
	}
}

// reportLeft fails because connections are left.
func (m *loopModel) reportLeft() {
	for _, x := range m.all() {
		if c := x.c; c.parts.Load() > 0 || !x.isDone() {
			m.net.faultf("member %d is still there: phase %d, parts %d, handled %d of %d, state %b", x.id, c.life.phase(), c.parts.Load(),
				x.handled.Load(), x.sent.Load(), c.looped.state)
		}
	}
	m.t.Fatalf("WYE_SEED=%d: not all have left:\n%s", m.seed, strings.Join(m.net.takeFaults(), "\n"))
}

// isDone reports whether the peer no longer reads.
func (x *modelMember) isDone() bool {
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

func (m *loopModel) closeAll() {
	m.over.Store(true)
	for _, x := range m.all() {
		x.allow(protocol.CloseGoingAway)
		if x.conn != nil {
			x.conn.Close(protocol.CloseGoingAway, "")
		}
	}
}

// end checks what is left when all have left.
func (m *loopModel) end() {
	m.release(1 << 20)
	<-time.After(time.Second)
	synctest.Wait()
	for i, l := range m.e.loops {
		l.mu.Lock()
		if l.mu.driven || len(l.mu.inbox) > 0 || l.load.Load() != 0 {
			m.net.faultf("loop %d: driven %v, inbox %d, load %d at the end", i, l.mu.driven, len(l.mu.inbox), l.load.Load())
		}
		l.mu.Unlock()
	}
	m.net.mu.Lock()
	if m.net.mu.kernels != 0 || len(m.net.mu.open) != 0 {
		m.net.faultLockedf("%d pollers and %d descriptors at the end", m.net.mu.kernels, len(m.net.mu.open))
	}
	m.net.mu.Unlock()
	if s := m.e.Stats(); s.QueuedBytes != 0 {
		m.net.faultf("%d bytes are queued at the end", s.QueuedBytes)
	}
	if u := m.e.Usage(); u.Conns != 0 {
		m.net.faultf("%d connections at the end", u.Conns)
	}
	for _, x := range m.all() {
		if got := x.gone.Load(); x.accepted.Load() != (got == 1) || got > 1 {
			m.net.faultf("member %d: %d calls of Disconnect, accepted %v", x.id, got, x.accepted.Load())
		}
		if x.polite && !m.over.Load() && x.handled.Load() != x.sent.Load() {
			m.net.faultf("member %d: %d messages were handled, want %d", x.id, x.handled.Load(), x.sent.Load())
		}
	}
}

func (m *loopModel) all() []*modelMember {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*modelMember(nil), m.mu.members...)
}

// release lets up to n blocked callbacks return.
func (m *loopModel) release(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n > 0 && len(m.mu.blocked) > 0; n-- {
		i := m.mu.random.IntN(len(m.mu.blocked))
		close(m.mu.blocked[i])
		last := len(m.mu.blocked) - 1
		m.mu.blocked[i] = m.mu.blocked[last]
		m.mu.blocked = m.mu.blocked[:last]
	}
}

// look lets so many half milliseconds pass, and at some moments checks that nothing is
// left lying.
func (m *loopModel) look(steps int) {
	for range steps {
		<-time.After(time.Duration(1+m.n(8)) * time.Millisecond / 8)
		if m.n(6) == 0 {
			m.release(1)
		}
		m.spoil()
		synctest.Wait()
		if m.net.failed() { // what follows is of no use
			continue
		}
		for i, l := range m.e.loops {
			m.checkLoop(i, l)
		}
	}
}

// spoil overwrites a buffer that no driver uses, as a loop of another engine would.
func (m *loopModel) spoil() {
	buf := loopBuffers.Get().(*[]byte)
	for i := range *buf {
		(*buf)[i] = 0xff
	}
	loopBuffers.Put(buf)
}

// checkLoop checks a loop while nothing moves.
func (m *loopModel) checkLoop(i int, l *loop) {
	l.mu.Lock()
	driven, asleep, inbox := l.mu.driven, l.mu.asleep, len(l.mu.inbox)
	l.mu.Unlock()
	switch number := l.driving.number.Load(); {
	case !driven:
		if inbox > 0 || l.load.Load() > 0 {
			m.net.faultf("loop %d has no driver, and %d connections", i, l.load.Load())
		}
		return
	case number%2 == 1:
		return // a callback has it; the watcher will see
	case !asleep || inbox > 0 || l.turn.done < len(l.turn.todo) || l.turn.next < l.turn.n:
		m.net.faultf("loop %d stands still: asleep %v, inbox %d, todo %d of %d, events %d of %d", i, asleep, inbox, l.turn.done, len(l.turn.todo), l.turn.next, l.turn.n)
		return
	}
	for _, x := range m.all() {
		if x.c != nil && x.c.runner == runner(l) {
			x.check()
		}
	}
}

// check checks a connection whose loop sleeps.
func (x *modelMember) check() {
	c, s, n := x.c, &x.c.looped, x.m.net
	p := c.life.phase()
	n.mu.Lock()
	defer n.mu.Unlock()
	bad := func(format string, args ...any) {
		n.faultLockedf("member %d, phase %d, state %b, sent %d, handled %d: %s", x.id, p, s.state, x.sent.Load(), x.handled.Load(), fmt.Sprintf(format, args...))
	}
	if w := s.work.Load(); w != 0 {
		bad("work %b is left", w)
	}
	if c.out.isBatching() {
		bad("a batch is on")
	}
	if p == phaseClosed {
		if s.fd != -1 {
			bad("the socket is not closed")
		}
		return
	}
	if p >= phaseClosing {
		x.closeAt.CompareAndSwap(0, time.Now().UnixNano())
		if d := time.Duration(time.Now().UnixNano() - x.closeAt.Load()); d > c.engine.CloseTimeout+lingerTime+100*time.Millisecond {
			bad("closes for %v", d)
		}
	}
	x.checkWritingLocked(bad)
	if p >= phaseReading {
		x.checkReadingLocked(bad)
	}
}

// checkWritingLocked checks what is queued for the peer.
func (x *modelMember) checkWritingLocked(bad func(format string, args ...any)) {
	c, s, k := x.c, &x.c.looped, x.socket
	p := c.life.phase()
	pending := c.out.pending()
	if pending == 0 {
		x.fullAt = time.Time{}
	}
	if pending > 0 {
		if x.fullAt.IsZero() {
			x.fullAt = time.Now()
		}
		c.out.mu.Lock()
		owned := c.out.mu.owned
		c.out.mu.Unlock()
		switch {
		case !owned:
			bad("%d bytes are queued, and nobody has the right to write", pending)
		case !s.is(stateFull):
			bad("%d bytes are queued, and nobody writes", pending)
		case k.writableLocked():
			bad("%d bytes are queued, and the socket is writable", pending)
		case min(time.Since(k.moved), time.Since(x.fullAt)) > c.engine.WriteTimeout+100*time.Millisecond && p < phaseClosing:
			bad("%d bytes are queued, and nothing was written for %v", pending, time.Since(k.moved))
		}
	}
}

// checkReadingLocked checks what comes from the peer.
func (x *modelMember) checkReadingLocked(bad func(format string, args ...any)) {
	c, s, k := x.c, &x.c.looped, x.socket
	p := c.life.phase()
	switch {
	case s.is(statePaused):
		if x.callbacks.Load() == 0 && c.looped.flags.Load()&flagEndWaits == 0 { // it waits for a time, too
			bad("it is paused, and no callback runs")
		}
	case s.is(stateReplying):
		if !s.is(stateFull) || c.out.pending() == 0 {
			bad("it waits for the peer to take replies, and there are none")
		}
	case c.read.rest != nil:
		bad("%d bytes are not parsed", len(*c.read.rest))
	case k.readableLocked() && !s.is(stateEnded):
		bad("%d bytes are not read", len(k.in))
	case p == phaseReading && x.callbacks.Load() == 0 && x.events.Load() != x.posted.Load():
		bad("%d events were handled of %d", x.events.Load(), x.posted.Load())
	}
}

// allow notes that the connection may be closed with that code from now on.
func (x *modelMember) allow(code protocol.CloseCode) { x.codes.Store(code, true) }

// wantsSeeds reports whether the environment says which seeds run.
func wantsSeeds() bool { return os.Getenv("WYE_SEED")+os.Getenv("WYE_SEEDS") != "" }
