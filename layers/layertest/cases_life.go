package layertest

import (
	"context"
	"errors"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers"
)

// lifeCases are about ctx and Close.
func lifeCases() []testCase {
	return []testCase{
		{
			name: "ctx-has-ended",
			rule: "A call whose ctx has ended when it starts returns ctx's error and does nothing.",
			run:  ctxHasEnded,
		},
		{
			name: "close-ends-pulls",
			rule: "Close has every Pull that waits return an error that matches ErrClosed.",
			asks: asksQueues,
			run:  closeEndsPulls,
		},
		{
			name: "close-while-sending",
			rule: "Close may be called while other goroutines publish, send and subscribe: " +
				"their calls return, with nil or an error that matches ErrClosed.",
			run: closeWhileSending,
		},
		{
			name: "silence-after-close",
			rule: "When Close has returned the receiver is no longer called.",
			run:  silenceAfterClose,
		},
		{
			name: "a-node-leaves",
			rule: "When a node has been closed, others publish without errors, and still receive everything.",
			run:  aNodeLeaves,
		},
		{
			name:  "a-node-dies",
			rule:  "When a node has died, others publish and send without errors, and still receive everything.",
			needs: needsKill,
			run:   aNodeDies,
		},
	}
}

func ctxHasEnded(s *env) {
	g, c, a, b := s.name("ended"), s.name("ended"), s.peer(), s.peer()
	b.subscribe(g)
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	e := newNote(a.name, -1)
	s.must("Sealing an event", events.Seal(e))
	calls := map[string]func() error{
		"Publish":   func() error { return a.driver.Publish(ctx, g, e) },
		"Send":      func() error { return a.driver.Send(ctx, b.own("x"), e) },
		"Subscribe": func() error { return a.driver.Subscribe(ctx, []string{g}, nil) },
		"Start":     func() error { return s.startWith(ctx) },
	}
	if a.hasQueues() {
		calls["Push"] = func() error { return a.queuer().Push(ctx, c, e) }
		calls["Pull"] = func() error { _, err := a.queuer().Pull(ctx, c); return err }
	}
	for what, f := range calls {
		s.wantErr(what+" with a ctx that has ended", s.watch(what, f), context.Canceled)
	}
	a.publish(g, 0)
	b.wantNotes(g, 0)
	a.send(b.own("x"), 1)
	b.wantSent("x", 1)
	if !a.hasQueues() {
		return
	}
	a.send(c, 2)
	if n := s.oneNote(b.pull(c)); n != 2 {
		s.fatalf("note %d was pulled, want 2", n)
	}
}

// startWith starts a node with a ctx.
func (s *env) startWith(ctx context.Context) error {
	p := s.newPeer()
	err := p.driver.Start(ctx, p)
	if err == nil {
		s.must("Close", p.close())
	}
	return err
}

func closeEndsPulls(s *env) {
	c, a, b := s.name("none"), s.peer(), s.peer()
	ended := make(chan error, 4)
	for range cap(ended) {
		s.background(func() {
			_, err := a.pullWith(s.ctx, c)
			ended <- err
		})
	}
	for n := range cap(ended) - 1 { // one gets an event, so they have started
		b.send(c, n)
		s.must("Pull", s.received(ended))
	}
	s.must("Close", a.close())
	s.wantErr("Pull of a driver that was closed", s.received(ended), layers.ErrLayerClosed)
}

// received waits until a call has ended.
func (s *env) received(ended <-chan error) error {
	over, stop := s.patience()
	defer stop()
	select {
	case err := <-ended:
		return err
	case <-over:
		s.fatalf("a call that should have ended has not returned within %v", s.suite.patience())
		return nil
	}
}

func closeWhileSending(s *env) {
	g, c, a, b := s.name("close"), s.name("close"), s.peer(), s.peer()
	b.subscribe(g)
	calls := []func(n int) error{
		func(n int) error { return a.tryPublish(g, newNote(a.name, n)) },
		func(n int) error { return a.trySend(b.own("x"), n) },
		func(int) error { return a.tryChange([]string{g}, nil) },
	}
	if a.hasQueues() {
		calls = append(calls, func(n int) error { return a.trySend(c, n) })
	}
	begun, ended := make(chan struct{}, len(calls)), make(chan error, len(calls))
	for _, f := range calls {
		s.background(func() {
			for n := 0; ; n++ {
				err := f(n)
				over := err != nil && !errors.Is(err, layers.ErrChannelFull)
				if n == 10 || n < 10 && over {
					begun <- struct{}{}
				}
				if over {
					ended <- err
					return
				}
			}
		})
	}
	for range cap(ended) {
		<-begun
	}
	s.must("Close", a.close())
	for range cap(ended) {
		s.wantErr("A call that Close came upon", s.received(ended), layers.ErrLayerClosed)
	}
}

// silence is how long a case waits for what must not come.
const silence = 50 * time.Millisecond

func silenceAfterClose(s *env) {
	g, a, b, witness := s.name("silence"), s.peer(), s.peer(), s.peer()
	witness.subscribe(g)
	b.subscribe(g)
	sent := make(chan int, 1)
	begun := make(chan struct{})
	stop, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.background(func() {
		defer close(sent)
		n := 0
		for ; stop.Err() == nil; n++ {
			a.publish(g, n)
			if n == 20 {
				close(begun)
			}
		}
		sent <- n
	})
	select {
	case <-begun:
	case <-sent:
	}
	s.must("Close", b.close())
	before := b.total()
	for n := range 20 {
		witness.publish(g, n)
	}
	cancel()
	witness.wantNotes(g, upTo(<-sent)...)
	select { // what has reached the witness may be on its way to others yet
	case <-time.After(silence):
	case <-s.ctx.Done():
	}
	if after := b.total(); after != before {
		s.fatalf("a receiver has been called %d times after Close had returned", after-before)
	}
}

func aNodeLeaves(s *env) { s.without(func(p *peer) { s.must("Close", p.close()) }) }

func aNodeDies(s *env) { s.without(s.kill) }

// kill ends a node as a crash does.
func (s *env) kill(p *peer) {
	p.closed, p.before = true, -1
	s.suite.Kill(p.driver)
}

// without checks that nodes go on when goes has ended one of them.
func (s *env) without(goes func(*peer)) {
	g, a, b, gone := s.name("gone"), s.peer(), s.peer(), s.peer()
	b.subscribe(g)
	gone.subscribe(g)
	a.publish(g, 0)
	b.wantNotes(g, 0)
	gone.wantNotes(g, 0)
	goes(gone)
	before := gone.total()
	for n := 1; n < 50; n++ {
		a.publish(g, n)
		a.send(gone.own("x"), n)
	}
	b.wantNotes(g, upTo(50)...)
	late := s.peer()
	late.subscribe(g)
	b.publish(g, 50)
	late.wantNotes(g, 50)
	if after := gone.total(); after != before {
		s.fatalf("the receiver of a node that has gone was called %d times", after-before)
	}
}

// faultCases are about a broker that fails.
func faultCases() []testCase {
	return []testCase{
		{
			name:  "down",
			rule:  "When the back end goes down receivers get State(cause), and Publish and Send return ErrDown; Close succeeds.",
			needs: needsStop,
			run:   down,
		},
		{
			name:  "queues-down",
			rule:  "When the back end goes down, Push and Pull return ErrDown, a Pull that waits too.",
			needs: needsStop,
			asks:  asksQueues,
			run:   queuesDown,
		},
		{
			name:  "start-while-down",
			rule:  "Start fails when the back end cannot be reached.",
			needs: needsStop,
			run:   startWhileDown,
		},
		{
			name: "down-and-up",
			rule: "When the back end is up again, receivers get State(nil), once what they have subscribed to reaches them again, " +
				"and then a Gap of it.",
			needs: needsStop,
			run:   downAndUp,
		},
		{
			name:  "subscribe-while-down",
			rule:  "Subscribe returns ErrDown while the back end is down, but remembers what it was asked for and makes up for it.",
			needs: needsStop,
			run:   subscribeWhileDown,
		},
		{
			name: "slow",
			rule: "A slow back end makes calls slow, but changes nothing else: " +
				"they return when it has taken them, in order, or with ctx's error when ctx ends.",
			needs: needsSlow,
			run:   slow,
		},
	}
}

// goDown stops the broker, and waits until all have noticed.
func (s *env) goDown(all ...*peer) {
	s.suite.Stop()
	for _, p := range all {
		p.until("State(cause)", func() bool { return p.state() != nil }, func() string { return "the broker is down" })
	}
}

// goUp starts the broker, and waits until all have noticed.
func (s *env) goUp(all ...*peer) {
	s.suite.Start()
	for _, p := range all {
		p.until("State(nil)", func() bool { return p.state() == nil }, func() string { return "the broker is up again" })
	}
}

// state returns the last cause that the receiver got. It is called with p.mu held.
func (p *peer) state() error {
	if n := len(p.mu.states); n > 0 {
		return p.mu.states[n-1]
	}
	return nil
}

func down(s *env) {
	g, a, b := s.name("down"), s.peer(), s.peer()
	b.subscribe(g)
	s.goDown(a, b)
	defer s.suite.Start()
	s.wantErr("Publish", a.tryPublish(g, newNote(a.name, 0)), layers.ErrDown)
	s.wantErr("Send", a.trySend(b.own("x"), 0), layers.ErrDown)
	s.must("Close while the back end is down", b.close())
}

func queuesDown(s *env) {
	c, a, b := s.name("down"), s.peer(), s.peer()
	ended := make(chan error, 2)
	for range cap(ended) {
		s.background(func() {
			_, err := b.pullWith(s.ctx, c)
			ended <- err
		})
	}
	a.send(c, 0)
	s.must("Pull", s.received(ended))
	s.goDown(a, b)
	defer s.suite.Start()
	s.wantErr("Pull that waited when the back end went down", s.received(ended), layers.ErrDown)
	s.wantErr("Push", a.trySend(c, 0), layers.ErrDown)
	_, err := a.tryPull(c)
	s.wantErr("Pull", err, layers.ErrDown)
	s.must("Close while the back end is down", b.close())
}

func startWhileDown(s *env) {
	s.suite.Stop()
	defer s.suite.Start()
	p := s.newPeer()
	if s.call("Start", func(ctx context.Context) error { return p.driver.Start(ctx, p) }) == nil {
		p.closed = p.close() == nil
		s.fatalf("Start returned nil although there is no back end")
	}
}

func downAndUp(s *env) {
	g, a, b := s.name("back"), s.peer(), s.peer()
	b.subscribe(g)
	for n := range 3 {
		s.goDown(a, b)
		s.goUp(a, b)
		a.publish(g, n) // b has got State(nil), so it receives this
		b.wantNotes(g, upTo(n+1)...)
		for _, p := range []*peer{a, b} {
			p.until("Gap", func() bool { return len(p.mu.gaps) > n }, func() string { return "the broker was down and is up again" })
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, group := range b.mu.gaps {
		if group != "" && group != g {
			s.fatalf("a node received a Gap in group %q, to which it has not subscribed", group)
		}
	}
}

func subscribeWhileDown(s *env) {
	stays, joined, left := s.name("stays"), s.name("joined"), s.name("left")
	a, b, witness := s.peer(), s.peer(), s.peer()
	b.subscribe(stays, left)
	witness.subscribe(left)
	s.goDown(a, b, witness)
	err := b.tryChange([]string{joined}, []string{left})
	s.goUp(a, b, witness)
	s.wantErr("Subscribe", err, layers.ErrDown)
	for n := range 10 {
		a.publish(stays, n)
		a.publish(joined, n)
		a.publish(left, n)
	}
	b.wantNotes(stays, upTo(10)...)
	b.wantNotes(joined, upTo(10)...)
	witness.wantNotes(left, upTo(10)...)
	b.subscribe(left)
	a.publish(left, 10)
	b.wantNotes(left, 10)
	witness.wantNotes(left, upTo(11)...)
}

func slow(s *env) {
	g, c, a, b := s.name("slow"), s.name("slow"), s.peer(), s.peer()
	took := s.suite.patience() / 200
	s.suite.Slow(took)
	defer s.suite.Slow(0)
	b.subscribe(g)
	began := time.Now()
	for n := range 5 {
		a.publish(g, n)
	}
	if d := time.Since(began); d < 5*took {
		s.fatalf("5 calls of Publish returned after %v, before the back end, which takes %v for each, can have taken them", d, took)
	}
	b.wantNotes(g, upTo(5)...)
	if a.hasQueues() {
		a.send(c, 0)
		b.pull(c)
	}
	s.suite.Slow(s.suite.patience() / 2)
	ctx, cancel := context.WithTimeout(s.ctx, took)
	defer cancel()
	e := newNote(a.name, -1)
	s.must("Sealing an event", events.Seal(e))
	err := s.watch("Publish", func() error { return a.driver.Publish(ctx, s.name("none"), e) })
	s.wantErr("Publish whose ctx ended before the back end answered", err, context.DeadlineExceeded)
}
