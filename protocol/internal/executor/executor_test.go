package executor

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestState asks every question in every state that matters. Each row says what the
// answers are, and what the flags are afterwards.
func TestState(t *testing.T) {
	t.Parallel()
	type answer struct {
		yes  bool
		then Flags
	}
	for _, test := range []struct {
		at       testkit.Line
		flags    Flags
		straight bool
		message  answer // of ClaimForMessage
		claim    answer // of Claim for an event
		finish   answer
	}{
		{testkit.Here(), 0, false, answer{false, 0}, answer{true, running | Waiting | Ordered}, answer{false, 0}},
		{testkit.Here(), Open, true, answer{true, Open | running}, answer{true, Open | running | Waiting | Ordered}, answer{true, Open}},
		{testkit.Here(), Open | QueueHigh, true, answer{true, Open | running | QueueHigh}, answer{true, Open | running | Waiting | Ordered | QueueHigh}, answer{true, Open | QueueHigh}},
		{testkit.Here(), Open | Paced, true, answer{false, Open | Paced}, answer{true, Open | running | Waiting | Ordered | Paced}, answer{true, Open | Paced}},
		{testkit.Here(), running, false, answer{false, running}, answer{false, running | Waiting | Ordered}, answer{false, running}},
		{testkit.Here(), Open | running, true, answer{false, Open | running}, answer{false, Open | running | Waiting | Ordered}, answer{true, Open}},
		{testkit.Here(), Open | running | Ordered, false, answer{false, Open | running | Ordered}, answer{false, Open | running | Waiting | Ordered}, answer{true, Open}},
		{testkit.Here(), Open | running | Waiting, true, answer{false, Open | running | Waiting}, answer{false, Open | running | Waiting | Ordered}, answer{false, Open | running | Waiting}},
		{testkit.Here(), running | Waiting, false, answer{false, running | Waiting}, answer{false, running | Waiting | Ordered}, answer{false, running | Waiting}},
	} {
		ask := func(f func(s *State) bool) answer {
			var s State
			s.word.Store(uint64(test.flags))
			yes := f(&s)
			s.TakeTally()
			return answer{yes, Flags(s.word.Load())}
		}
		if got := ask((*State).IsStraight); got != (answer{test.straight, test.flags}) {
			t.Errorf("%s: straight: %v", test.at, got)
		}
		if got := ask(func(s *State) bool { return s.ClaimForMessage(7) }); got != test.message {
			t.Errorf("%s: claimed for a message: %v, want %v", test.at, got, test.message)
		}
		if got := ask(func(s *State) bool { return s.Claim(Waiting | Ordered) }); got != test.claim {
			t.Errorf("%s: claimed: %v, want %v", test.at, got, test.claim)
		}
		if got := ask((*State).Finish); got != test.finish {
			t.Errorf("%s: finished: %v, want %v", test.at, got, test.finish)
		}
		released := answer{false, test.flags &^ (running | Ordered | Waiting)}
		if got := ask(func(s *State) bool { s.Release(); return s.IsRunning() }); got != released {
			t.Errorf("%s: released: %v, want %v", test.at, got, released)
		}
	}
}

// TestPut sets and clears flags one by one, and leaves the others and the count alone.
func TestPut(t *testing.T) {
	t.Parallel()
	var s State
	s.Put(Open, true)
	s.ClaimForMessage(5)
	for _, f := range []Flags{Ordered, Paced, MailHigh, QueueHigh, Waiting} {
		before := s.word.Load()
		s.Put(f, true)
		s.Put(f, true)
		if !s.Has(f) || !s.Has(Open) || !s.IsRunning() {
			t.Errorf("set %b: %b", f, s.word.Load())
		}
		s.Put(f, false)
		s.Put(f, false)
		if after := s.word.Load(); after != before {
			t.Errorf("cleared %b: %b, was %b", f, after, before)
		}
	}
}

// TestTally counts up to what the word has room for.
func TestTally(t *testing.T) {
	t.Parallel()
	testTally(t, (*State).ClaimForMessage)
	testTally(t, (*State).Count)
}

func testTally(t *testing.T, countMessage func(s *State, n int) bool) {
	t.Helper()
	var s State
	s.Put(Open, true)
	count := func(n int, want bool) {
		t.Helper()
		if got := countMessage(&s, n); got != want {
			t.Errorf("a message of %d bytes: %t, want %t", n, got, want)
		}
		s.Finish()
	}
	take := func(want Tally) {
		t.Helper()
		if got := s.Tally(); got != want {
			t.Errorf("counted %+v so far, want %+v", got, want)
		}
		if got := s.TakeTally(); got != want || !s.Has(Open) {
			t.Errorf("counted %+v, want %+v", got, want)
		}
	}
	take(Tally{})
	count(0, true)
	count(3, true)
	take(Tally{Messages: 2, Bytes: 3})
	take(Tally{})
	count(math.MaxUint32, true)
	count(0, true)
	count(1, false) // no room for a byte
	take(Tally{Messages: 2, Bytes: math.MaxUint32})
	count(math.MaxUint32+1, false)
	s.word.Add((messageMax - 1) << messageShift)
	count(1, true)
	count(1, false) // no room for a message
	take(Tally{Messages: messageMax, Bytes: 1})
	count(1, true)
	sum := Tally{Messages: 1, Bytes: 2}
	sum.Add(s.TakeTally())
	if (sum != Tally{Messages: 2, Bytes: 3}) {
		t.Errorf("the sum is %+v", sum)
	}
}

// session is what a session does with its executor: entries are queued under a lock.
type session struct {
	State

	active, handled, overlaps atomic.Int64

	mu struct {
		sync.Mutex
		queue int
		tally Tally
	}
}

func (s *session) handle() {
	if s.active.Add(1) != 1 {
		s.overlaps.Add(1)
	}
	s.handled.Add(1)
	s.active.Add(-1)
}

// dequeue takes an entry out, or releases the executor.
func (s *session) dequeue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.queue == 0 {
		s.Release()
		return false
	}
	s.mu.queue--
	if s.mu.queue == 0 {
		s.Put(Waiting, false)
	}
	return true
}

func (s *session) run() {
	for !s.Finish() && s.dequeue() {
		s.handle()
	}
}

func (s *session) post() {
	s.mu.Lock()
	s.mu.queue++
	claimed := s.Claim(Waiting)
	s.mu.Unlock()
	if claimed {
		s.run()
	}
}

func (s *session) receive() {
	if s.ClaimForMessage(3) {
		s.handle()
		s.run()
		return
	}
	s.mu.Lock()
	s.mu.tally.Add(Tally{Messages: 1, Bytes: 3})
	s.mu.Unlock()
	s.post()
}

func (s *session) traffic() Tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.tally.Add(s.TakeTally())
	return s.mu.tally
}

// TestRace has a reader, senders of events, and somebody who reads the count share an
// executor. Nothing that was queued is left behind, no two run at a time, and every
// message is counted.
func TestRace(t *testing.T) {
	t.Parallel()
	const each = 2000
	var s session
	var wg sync.WaitGroup
	s.Put(Open, true)
	for _, f := range []func(){s.receive, s.post, s.post, func() { s.traffic() }} {
		wg.Go(func() {
			for range each {
				f()
			}
		})
	}
	wg.Wait()
	if s.handled.Load() != 3*each || s.mu.queue != 0 || s.Has(running|Waiting) || s.overlaps.Load() != 0 {
		t.Errorf("%d of %d were handled, %d wait, %d overlapped, and the state is %b",
			s.handled.Load(), 3*each, s.mu.queue, s.overlaps.Load(), s.word.Load())
	}
	if got := s.traffic(); got != (Tally{Messages: each, Bytes: 3 * each}) {
		t.Errorf("counted %+v", got)
	}
}
