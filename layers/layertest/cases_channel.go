package layertest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/wye-go/wye/layers"
)

// channelCases are about Send.
func channelCases() []testCase {
	return []testCase{
		{
			name: "specific-channel",
			rule: `What is sent to "specific.<node>!<name>" reaches that node and no other, in order.`,
			run:  specificChannel,
		},
		{
			name: "channel-of-nobody",
			rule: "Sending to a channel of a node that is not there is not an error, or layers.ErrNoConsumer: its consumer may just have gone.",
			run:  channelOfNobody,
		},
		{
			name: "first-in-first-out",
			rule: "Events wait in a named channel until they are pulled, the oldest first, on any node and whichever node has sent them.",
			asks: asksQueues,
			run:  firstInFirstOut,
		},
		{
			name: "capacity",
			rule: "A named channel that is full refuses events with ErrFull, loses none that it has taken, and does not affect other channels.",
			asks: asksQueues,
			run:  capacity,
		},
		{
			name:  "expiry",
			rule:  "Events that have waited for too long in a named channel are dropped, and make room.",
			needs: needsExpire,
			asks:  asksQueues,
			run:   expiry,
		},
	}
}

func specificChannel(s *env) {
	a, b, c := s.peer(), s.peer(), s.peer()
	for n := range 100 {
		a.send(b.own("x"), n)
	}
	a.send(c.own("x"), 100)
	a.send(b.own("y"), 101)
	b.wantSent("x", upTo(100)...)
	b.wantSent("y", 101)
	c.wantSent("x", 100)
	for _, p := range []*peer{a, b, c} {
		s.must("Close", p.close())
	}
	if x, y, z := a.total(), b.total(), c.total(); x != 0 || y != 101 || z != 1 {
		s.fatalf("three nodes received %d, %d and %d calls, want 0, 101 and 1: nobody sent to others", x, y, z)
	}
}

// wantSent is wantNotes for one of the node's own channels.
func (p *peer) wantSent(own string, want ...int) {
	got := p.env.numbers(p.sent(p.own(own), len(want)))
	if !slices.Equal(got, want) {
		p.env.fatalf("a channel got %s of what was sent to it, want %s", shorten(got), shorten(want))
	}
}

func channelOfNobody(s *env) {
	a, b, gone := s.peer(), s.peer(), s.peer()
	s.must("Close", gone.close())
	a.send("specific.nobody"+s.name("x")+"!x", 0)
	a.send(gone.own("x"), 1)
	a.send(b.own("x"), 2)
	b.wantSent("x", 2)
	if n := gone.total(); n != 0 {
		s.fatalf("a node that has been closed received %d calls", n)
	}
}

func firstInFirstOut(s *env) {
	c, a, b := s.name("jobs"), s.peer(), s.peer()
	for n := range 20 {
		[]*peer{a, b}[n%2].send(c, n)
	}
	for n := range 20 {
		if got := s.oneNote([]*peer{b, a}[n/3%2].pull(c)); got != n {
			s.fatalf("note %d was pulled, want %d, the oldest", got, n)
		}
	}
	waits := make(chan int, 1)
	s.background(func() {
		defer close(waits)
		waits <- s.oneNote(b.pull(c))
	})
	a.send(c, 20)
	if got, ok := <-waits; !ok || got != 20 {
		s.fatalf("who waited in Pull got note %d, want 20", got)
	}
}

func capacity(s *env) {
	c, other, a, b := s.name("full"), s.name("other"), s.peer(), s.peer()
	room := s.suite.capacity()
	for n := range room {
		a.send(c, n)
	}
	s.wantErr("Send to a channel that is full", a.trySend(c, -1), layers.ErrChannelFull)
	s.wantErr("Send of another node to a channel that is full", b.trySend(c, -1), layers.ErrChannelFull)
	a.send(other, 0)
	b.pull(other)
	if got := s.oneNote(b.pull(c)); got != 0 {
		s.fatalf("note %d was pulled, want 0, the oldest", got)
	}
	a.send(c, room)
	s.wantErr("Send to a channel that is full again", a.trySend(c, -1), layers.ErrChannelFull)
	for n := 1; n <= room; n++ {
		if got := s.oneNote(b.pull(c)); got != n {
			s.fatalf("note %d was pulled, want %d", got, n)
		}
	}
}

func expiry(s *env) {
	c, a := s.name("late"), s.peer()
	for n := range s.suite.capacity() {
		a.send(c, n)
	}
	s.suite.Expire()
	a.send(c, 1000)
	if got := s.oneNote(a.pull(c)); got != 1000 {
		s.fatalf("note %d was pulled, want 1000, because the others have expired", got)
	}
}

// pullCases are about Pull.
func pullCases() []testCase {
	return []testCase{
		{
			name: "many-pullers",
			rule: "Each event of a named channel is taken once, however many pull on however many nodes.",
			asks: asksQueues,
			run:  manyPullers,
		},
		{
			name: "pull-ends-with-ctx",
			rule: "Pull returns ctx's error when ctx ends while it waits.",
			asks: asksQueues,
			run:  pullEndsWithCtx,
		},
		{
			name: "cancelled-pull-loses-nothing",
			rule: "A Pull that returns an error has taken nothing: an event that comes as ctx ends is returned, or is the next one's.",
			asks: asksQueues,
			run:  cancelledPullLosesNothing,
		},
	}
}

func manyPullers(s *env) {
	const many, pullers = 200, 6
	c, all := s.name("jobs"), s.peers(3)
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	pulled := make(chan int, 10*many)
	var over sync.WaitGroup
	for i := range pullers {
		over.Add(1)
		s.background(func() {
			defer over.Done()
			for {
				e, err := all[i%len(all)].pullWith(ctx, c)
				if err != nil {
					return
				}
				select {
				case pulled <- s.oneNote(e):
				case <-ctx.Done(): // the case has failed, and the driver pulls without end
					return
				}
			}
		})
	}
	seen := make([]bool, many)
	for n := range many {
		all[n%len(all)].send(c, n)
		if n >= 20 { // so that it is never full
			s.once(seen, pulled)
		}
	}
	for range 20 {
		s.once(seen, pulled)
	}
	all[0].send(c, many) // behind any double
	if n := s.next(pulled); n != many {
		s.fatalf("note %d was pulled twice", n)
	}
	stop()
	over.Wait()
	select {
	case n := <-pulled:
		s.fatalf("note %d was pulled twice", n)
	default:
	}
}

// next waits for a note that a puller has pulled.
func (s *env) next(pulled <-chan int) int {
	over, stop := s.patience()
	defer stop()
	select {
	case n := <-pulled:
		return n
	case <-over:
		s.fatalf("nobody has pulled what was sent %v ago", s.suite.patience())
		return 0
	}
}

// once takes a note and fails if it has been seen.
func (s *env) once(seen []bool, pulled <-chan int) {
	n := s.next(pulled)
	if n < 0 || n >= len(seen) || seen[n] {
		s.fatalf("note %d was pulled twice", n)
	}
	seen[n] = true
}

func pullEndsWithCtx(s *env) {
	c, a := s.name("none"), s.peer()
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	s.background(func() {
		_, err := a.pullWith(ctx, c)
		ended <- err
	})
	a.send(s.name("something-else"), 0) // the other call has started by then, or starts with a ctx that has ended
	cancel()
	s.wantErr("Pull whose ctx was cancelled", <-ended, context.Canceled)
	short, stop := context.WithTimeout(s.ctx, s.suite.patience()/1000)
	defer stop()
	_, err := a.pullWith(short, c)
	s.wantErr("Pull whose ctx had a deadline", err, context.DeadlineExceeded)
}

// yield lets others run.
func yield(times int) {
	for range times {
		runtime.Gosched()
	}
}

func cancelledPullLosesNothing(s *env) {
	const many = 300
	c, a, b := s.name("cancel"), s.peer(), s.peer()
	seen, waiting := make([]bool, many), 0
	pulled := make(chan int, many)
	for n := range many {
		ctx, cancel := context.WithCancel(s.ctx)
		over := make(chan error, 1)
		s.background(func() {
			defer close(over)
			e, err := b.pullWith(ctx, c)
			if err == nil {
				pulled <- s.oneNote(e)
			}
			over <- err
		})
		s.parallel(2, func(i int) { // at once, but sometimes the one first, and sometimes the other
			yield(n >> (4 * i) % 6)
			if i == 0 {
				a.send(c, n)
			} else {
				cancel()
			}
		})
		waiting++
		switch err := <-over; {
		case err == nil:
			s.once(seen, pulled)
			waiting--
		case !errors.Is(err, context.Canceled):
			s.fatalf("Pull whose ctx was cancelled returned %w", err)
		}
		if waiting > 20 { // so that it is never full
			pulled <- s.oneNote(b.pull(c))
			s.once(seen, pulled)
			waiting--
		}
	}
	for range waiting {
		pulled <- s.oneNote(b.pull(c))
		s.once(seen, pulled)
	}
}
