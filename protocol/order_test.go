package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// spoken is a connection whose handler of events sends what they say, when it is let.
type spoken struct {
	*rig
	let chan struct{}
}

func openSpoken(t *testing.T, limits protocol.Limits) *spoken {
	t.Helper()
	s := &spoken{let: make(chan struct{})}
	s.rig = open(t, &fakes.Handler{OnEvent: func(ctx context.Context, c *protocol.Conn, e *protocol.Event) error {
		<-s.let
		return c.Send(ctx, text(e.Type()))
	}}, limits)
	return s
}

// do posts "e…" as an event, and offers everything else, "k=v" with the key k.
func (s *spoken) do(what string) error {
	if strings.HasPrefix(what, "e") {
		return s.Conn().Post(protocol.EventType[map[string]int]{Name: what}.New(map[string]int{}))
	}
	m := text(what)
	if key, _, keyed := strings.Cut(what, "="); keyed {
		m.Key = key
	}
	p := protocol.Prepare(m)
	defer p.Release() // its memory is used again, unless somebody keeps it
	return s.Conn().Offer(p)
}

// TestPromise11_MessagesWaitBehindEvents: what is sent goes out in one order, events
// and messages alike, and each stays within its bounds.
func TestPromise11_MessagesWaitBehindEvents(t *testing.T) {
	t.Parallel()
	drop := func(o protocol.Overflow, n int) protocol.Limits {
		return protocol.Limits{QueueEvents: n, EventOverflow: o}
	}
	for _, test := range []struct {
		at        testkit.Line
		limits    protocol.Limits
		sent      string
		errs      string // for each: o if it was queued, d if dropped, b if the connection was busy
		straight  string // goes out while the first event is being handled
		out       string // in the end
		conflated int64
	}{
		{testkit.Here(), protocol.Limits{}, "1 2", "oo", "1 2", "1 2", 0},
		{testkit.Here(), protocol.Limits{}, "1 e2 3", "ooo", "1", "1 e2 3", 0},
		{testkit.Here(), protocol.Limits{}, "e1 2 e3 4 5 e6", "oooooo", "", "e1 2 e3 4 5 e6", 0},
		{testkit.Here(), protocol.Limits{}, "e1 a=1 b=1 a=2 b=2", "ooooo", "", "e1 a=2 b=2", 2},
		{testkit.Here(), protocol.Limits{}, "e1 a=1 e2 a=2", "oooo", "", "e1 a=1 e2 a=2", 0}, // it would overtake e2
		{testkit.Here(), protocol.Limits{}, "e1 a=1 b a=2 a=3", "ooooo", "", "e1 a=1 b a=3", 1},
		{testkit.Here(), drop(protocol.OverflowDropNewest, 2), "e1 2 3 4 e5", "ooodd", "", "e1 2 3", 0},
		{testkit.Here(), drop(protocol.OverflowDropOldest, 2), "e1 2 3 4 e5", "ooooo", "", "e1 4 e5", 0},
		{testkit.Here(), drop(protocol.OverflowDropNewest, 2), "e1 a=1 b=1 a=2 c=1", "ooood", "", "e1 a=2 b=1", 1},
		{testkit.Here(), drop(protocol.OverflowClose, 1), "e1 2 3 4 5 6", "ooooob", "", "", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := openSpoken(t, test.limits)
			errs := ""
			for what := range strings.FieldsSeq(test.sent) {
				name := "o"
				switch err := s.do(what); {
				case errors.Is(err, protocol.ErrDropped):
					name = "d"
				case errors.Is(err, protocol.ErrBusy):
					name = "b"
				case err != nil:
					name = err.Error()
				}
				errs += name
				synctest.Wait() // the first event is being handled
			}
			if errs != test.errs {
				t.Errorf("%s: got %s, want %s", test.at, errs, test.errs)
			}
			if got := s.wire.sent(); got != test.straight {
				t.Errorf("%s: %q has gone out, want %q", test.at, got, test.straight)
			}
			close(s.let)
			synctest.Wait()
			if got := s.wire.sent(); got != test.out {
				t.Errorf("%s: %q went out, want %q", test.at, got, test.out)
			}
			if test.out != "" {
				if err := s.do("after"); err != nil || s.wire.sent() != test.out+" after" {
					t.Errorf("%s: a message does not go straight out any more: %v", test.at, err)
				}
			}
			s.vanish()
			if got := s.counters.Stats().MessagesConflated; got != test.conflated {
				t.Errorf("%s: %d conflated, want %d", test.at, got, test.conflated)
			}
		})
	}
}

// TestMessagesBehindEventsAreLostWithTheConnection: whoever ends it, they are counted.
func TestMessagesBehindEventsAreLostWithTheConnection(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *spoken){
		"ours":       func(s *spoken) { s.Conn().Close(4000, "") },
		"the peer's": func(s *spoken) { s.Ended(protocol.CloseStatus{Code: 4000, Remote: true}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := openSpoken(t, protocol.Limits{})
			for i, what := range []string{"e1", "2", "e3", "4"} {
				if err := s.do(what); err != nil {
					t.Errorf("%s: send %d: %v", name, i, err)
				}
				synctest.Wait()
			}
			end(s)
			if err := s.do("5"); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("%s: a send after it returned %v", name, err)
			}
			close(s.let)
			<-s.over
			if st := s.counters.Stats(); st.MessagesDropped != 2 || st.EventsDropped != 1 || s.wire.sent() != "" {
				t.Errorf("%s: sent %q, counted %+v", name, s.wire.sent(), st)
			}
		})
	}
}

// TestMessagesBehindEventsBeforeTheAnswer: they wait with the events until Connect has
// returned, and are gone if it refuses.
func TestMessagesBehindEventsBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for _, refuses := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &spoken{let: make(chan struct{})}
			close(s.let)
			s.rig = newRig(&fakes.Handler{
				OnConnect: func(context.Context, *protocol.Conn) error {
					for i, what := range []string{"0", "e1", "2"} {
						if err := s.do(what); err != nil {
							t.Errorf("send %d: %v", i, err)
						}
					}
					if refuses {
						return protocol.NewRejectError(403, "")
					}
					return nil
				},
				OnEvent: func(ctx context.Context, c *protocol.Conn, e *protocol.Event) error {
					return c.Send(ctx, text(e.Type()))
				},
			}, protocol.Limits{})
			opened := s.Open()
			synctest.Wait()
			want, dropped := "0 e1 2", int64(0)
			if refuses {
				want, dropped = "", 1
			}
			if st := s.counters.Stats(); opened == refuses || s.wire.sent() != want || st.MessagesDropped != dropped {
				t.Errorf("refuses %v: sent %q, counted %+v", refuses, s.wire.sent(), st)
			}
			s.vanish()
		})
	}
}

// TestPromise11_OrderUnderRace has many goroutines post and offer by turns: each one's
// things come in its order, while the handler drains the mailbox again and again.
func TestPromise11_OrderUnderRace(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 500
	s := &spoken{let: make(chan struct{})}
	close(s.let)
	s.rig = open(t, &fakes.Handler{OnEvent: func(ctx context.Context, c *protocol.Conn, e *protocol.Event) error {
		return c.Send(ctx, text(e.Type()))
	}}, protocol.Limits{})
	done := make(chan struct{}, senders)
	for from := range senders {
		go func() {
			defer func() { done <- struct{}{} }()
			for n := range each {
				what := fmt.Sprintf("%d/%d", from, n)
				if n%2 == 0 || n%5 == 0 {
					what = "e" + what
				}
				if err := s.do(what); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for range senders {
		<-done
	}
	flushed := protocol.EventType[map[string]int]{Name: "eflush"}
	if err := s.Conn().Post(flushed.New(map[string]int{})); err != nil {
		t.Fatal(err)
	}
	for !strings.HasSuffix(s.wire.sent(), "eflush") {
		pass(1)
	}
	next := make([]int, senders)
	for what := range strings.FieldsSeq(strings.TrimSuffix(s.wire.sent(), "eflush")) {
		var from, n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(what, "e"), "%d/%d", &from, &n); err != nil {
			t.Fatalf("%q: %v", what, err)
		}
		if n != next[from] {
			t.Fatalf("of sender %d came %d, want %d", from, n, next[from])
		}
		next[from]++
	}
	for from, n := range next {
		if n != each {
			t.Errorf("%d of %d came of sender %d", n, each, from)
		}
	}
	s.vanish()
}
