package layers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// joinFrom joins group "g".
func joinFrom(t *testing.T, l *layers.Layer, m layers.Member, after protocol.Position) layers.History {
	t.Helper()
	h, err := l.JoinFrom(context.Background(), "g", m, layers.Range{After: after})
	if err != nil {
		t.Error(err)
	}
	return h
}

// world is where the property is tested: a layer that can lose its history.
type world struct {
	name string
	open func(t *testing.T) (l *layers.Layer, lose func() *layers.Layer)
}

// worlds are a layer of one process, and one whose driver is slow.
func worlds() []world {
	hesitate := func(context.Context) error {
		for range rand.IntN(20) {
			runtime.Gosched()
		}
		return nil
	}
	return []world{
		{"process", func(*testing.T) (*layers.Layer, func() *layers.Layer) {
			return new(layers.Layer), func() *layers.Layer { return new(layers.Layer) }
		}},
		{"aged", func(*testing.T) (*layers.Layer, func() *layers.Layer) {
			l := new(layers.Layer)
			return l, func() *layers.Layer {
				<-time.After(3 * time.Hour)
				return l
			}
		}},
		{"driver", func(t *testing.T) (*layers.Layer, func() *layers.Layer) {
			t.Helper()
			d := &archive{before: hesitate, after: hesitate}
			l := open(t, d)
			return l, func() *layers.Layer {
				d.lose()
				return l
			}
		}},
	}
}

// TestHistoryHasNoGapAndNoDouble has many record while others come, stay for a while,
// go, and come back to where they were, and the history is bounded and gets lost.
func TestHistoryHasNoGapAndNoDouble(t *testing.T) {
	t.Parallel()
	for _, w := range worlds() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(15) {
				synctest.Test(t, func(t *testing.T) {
					l, lose := w.open(t)
					p := &property{layer: l, random: rand.New(rand.NewPCG(seed, seed)), seen: make([]protocol.Position, 6)}
					for range 4 {
						p.round(t)
						if t.Failed() {
							t.Fatalf("with seed %d", seed)
						}
						if p.random.IntN(2) == 0 {
							p.layer = lose()
						}
					}
				})
			}
		})
	}
}

type property struct {
	layer  *layers.Layer
	random *rand.Rand
	seen   []protocol.Position // by each visitor
}

// round has some record and some visit.
func (p *property) round(t *testing.T) {
	t.Helper()
	k := layers.Retention{MaxEvents: 1 + p.random.IntN(40)}
	var recorders, visitors sync.WaitGroup
	for range 3 {
		n := p.random.IntN(60)
		recorders.Go(func() {
			for i := range n {
				record(t, p.layer, i, k)
				runtime.Gosched()
			}
		})
	}
	for i := range p.seen {
		stays := p.random.Perm(8)
		visitors.Go(func() {
			for _, stay := range stays {
				p.seen[i] = visit(t, p.layer, p.seen[i], stay)
			}
		})
	}
	visitors.Wait()
	recorders.Wait()
	synctest.Wait()
	for i := range p.seen { // now that it is quiet, everybody gets what is left
		h := joinFrom(t, p.layer, &member{}, p.seen[i])
		check(t, p.seen[i], &h, nil)
		p.seen[i] = h.Last
	}
}

// visit joins, stays for some turns, leaves, and returns what it has seen last.
func visit(t *testing.T, l *layers.Layer, after protocol.Position, stay int) protocol.Position {
	t.Helper()
	m := &member{}
	h := joinFrom(t, l, m, after)
	for range stay {
		runtime.Gosched()
	}
	l.Leave("g", m)
	return check(t, after, &h, m.takeAll())
}

// check looks for gaps and doubles in what somebody got who had seen after, and
// returns what has been seen then.
func check(t *testing.T, after protocol.Position, h *layers.History, live []*protocol.Event) protocol.Position {
	t.Helper()
	next := map[string]uint64{} // by epoch
	if h.Complete {
		next[h.Last.Epoch] = 1
		next[after.Epoch] = after.Offset + 1
	}
	seen := after
	for i, e := range slices.Concat(h.Events, live) {
		p := e.Position()
		if want := next[p.Epoch]; want != 0 && p.Offset != want {
			t.Errorf("event %d after %q (%d of history up to %q, complete: %t) is %q, want %d",
				i, after, len(h.Events), h.Last, h.Complete, p, want)
		}
		next[p.Epoch] = p.Offset + 1
		if i == len(h.Events)-1 && p != h.Last {
			t.Errorf("the history ends at %q, and its events at %q", h.Last, p)
		}
		if i == len(h.Events) && p.Epoch == h.Last.Epoch && p.Offset != h.Last.Offset+1 {
			t.Errorf("after %q comes %q", h.Last, p)
		}
		seen = p
	}
	if len(h.Events) == 0 && h.Complete && h.Last != after {
		t.Errorf("there is nothing from %q to %q, but it is said to be complete", after, h.Last)
	}
	return seen
}

// TestAfterARestartTheHistoryIsNotComplete, nor any that begins anew.
func TestAfterARestartTheHistoryIsNotComplete(t *testing.T) {
	t.Parallel()
	for _, w := range worlds() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, lose := w.open(t)
				record(t, l, 1, layers.Retention{})
				seen := record(t, l, 2, layers.Retention{})
				if h := joinFrom(t, l, &member{}, seen); !h.Complete || h.Last != seen || h.Events != nil {
					t.Errorf("before: %+v", h)
				}
				l = lose()
				if h := joinFrom(t, l, &member{}, seen); h.Complete || h.Events != nil {
					t.Errorf("after: %+v", h)
				}
				first := record(t, l, 3, layers.Retention{})
				if h := joinFrom(t, l, &member{}, seen); h.Complete || len(h.Events) != 1 || h.Last != first || first.Epoch == seen.Epoch {
					t.Errorf("after a new one has begun: %+v", h)
				}
			})
		})
	}
}

// held is a archive whose Read waits, before or after the look at the history.
type held struct {
	*archive
	reading, goOn chan struct{}
}

func holding(after bool) *held {
	d := &held{archive: &archive{}, reading: make(chan struct{}, 1), goOn: make(chan struct{})}
	hold := func(ctx context.Context) error {
		d.reading <- struct{}{}
		select {
		case <-d.goOn:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if after {
		d.after = hold
	} else {
		d.before = hold
	}
	return d
}

// TestWhatComesWhileHistoryIsRead: recorded or sent, of each kind.
func TestWhatComesWhileHistoryIsRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at    testkit.Line
		name  string
		after bool
		kept  []int // 1 was recorded before, 2 and 3 while it was read
		live  []int // 9 is what was only sent, behind those that it does not wait for
	}{
		{testkit.Here(), "before it is looked at", false, []int{1, 2, 3}, []int{9, 4}},
		{testkit.Here(), "after it was looked at", true, []int{1}, []int{2, 3, 9, 4}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := holding(row.after)
				l, m, ctx := open(t, d), &member{}, t.Context()
				record(t, l, 1, layers.Retention{})
				var h layers.History
				joined := make(chan struct{})
				go func() {
					h = joinFrom(t, l, m, protocol.Position{})
					close(joined)
				}()
				<-d.reading
				record(t, l, 2, layers.Retention{})
				record(t, l, 3, layers.Retention{})
				synctest.Wait()
				send(t, l, "x", 9)
				if err := errors.Join(l.Broadcast(ctx, "g", protocol.Text("b")), l.GroupSendExcept(ctx, "g", noted().New(note{"x", 8}), m)); err != nil {
					t.Error(err)
				}
				if notes, messages := m.got(); notes+messages > 0 {
					t.Errorf("%s: %d notes and %d messages came before the history was read", row.at, notes, messages)
				}
				d.goOn <- struct{}{}
				<-joined
				record(t, l, 4, layers.Retention{})
				synctest.Wait()
				if got := numbers(t, h.Events); !slices.Equal(got, row.kept) {
					t.Errorf("%s: read %v, want %v", row.at, got, row.kept)
				}
				if got := m.heard("x"); !slices.Equal(got, row.live) {
					t.Errorf("%s: delivered %v, want %v", row.at, got, row.live)
				}
				if _, messages := m.got(); messages != 1 {
					t.Errorf("%s: %d messages came, want 1", row.at, messages)
				}
			})
		})
	}
}

// TestWhatWasOnItsWayIsNotDoubled: the back end delivers an event after it was read.
func TestWhatWasOnItsWayIsNotDoubled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &archive{}
		l, m, s := open(t, d), &member{}, &slow{let: make(chan struct{})}
		join(t, l, "h", s) // holds up the driver
		if _, err := l.Record(t.Context(), "h", noted().New(note{}), layers.Retention{}); err != nil {
			t.Fatal(err)
		}
		ready := protocol.SendType.New(protocol.Text("ready"))
		record(t, l, 1, layers.Retention{})
		if _, err := l.Record(t.Context(), "g", ready, layers.Retention{}); err != nil {
			t.Fatal(err)
		}
		if h := joinFrom(t, l, m, protocol.Position{}); len(h.Events) != 2 {
			t.Errorf("read %+v", h)
		}
		record(t, l, 2, layers.Retention{})
		send(t, l, "x", 3)
		if err := l.Broadcast(t.Context(), "g", protocol.Text("b")); err != nil {
			t.Error(err)
		}
		close(s.let)
		synctest.Wait()
		send(t, l, "x", 4)
		if err := l.GroupSendExcept(t.Context(), "g", noted().New(note{"x", 5}), m); err != nil {
			t.Error(err)
		}
		if got := m.heard("x"); !slices.Equal(got, []int{3, 2, 4}) {
			t.Errorf("delivered %v, want [3 2 4]", got)
		}
		if got := m.mu.messages; !slices.Equal(got, []string{"b"}) {
			t.Errorf("delivered the messages %q", got)
		}
	})
}

func TestJoinFromThatFails(t *testing.T) {
	t.Parallel()
	gone := errors.New("went home")
	for _, row := range []struct {
		at   testkit.Line
		name string
		do   func(t *testing.T, d *held, l *layers.Layer, cancel func(error))
		want error
	}{
		{testkit.Here(), "ctx ends", func(_ *testing.T, _ *held, _ *layers.Layer, cancel func(error)) { cancel(gone) }, gone},
		{testkit.Here(), "too much comes", func(t *testing.T, d *held, l *layers.Layer, _ func(error)) {
			t.Helper()
			for n := range 257 {
				send(t, l, "x", n)
			}
			close(d.goOn)
		}, layers.ErrBehind},
		{testkit.Here(), "just not too much", func(t *testing.T, d *held, l *layers.Layer, _ func(error)) {
			t.Helper()
			for n := range 256 {
				send(t, l, "x", n)
			}
			close(d.goOn)
		}, nil},
	} {
		for _, before := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, a member before: %t", row.name, before), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := holding(false)
					l, m := open(t, d), &member{}
					if before {
						join(t, l, "g", m)
					}
					ctx, cancel := context.WithCancelCause(t.Context())
					result := make(chan error)
					go func() {
						_, err := l.JoinFrom(ctx, "g", m, layers.Range{})
						result <- err
					}()
					<-d.reading
					row.do(t, d, l, cancel)
					if err := <-result; !errors.Is(err, row.want) {
						t.Errorf("%s: %v, want %v", row.at, err, row.want)
					}
					m.got()
					send(t, l, "x", 1000)
					if notes, _ := m.got(); (notes == 1) != (row.want == nil) {
						t.Errorf("%s: afterwards the member gets %d events", row.at, notes)
					}
					join(t, l, "g", m)
					send(t, l, "x", 1001)
					if got := m.heard("x"); !slices.Equal(got, []int{1001}) {
						t.Errorf("%s: after joining again: %v", row.at, got)
					}
				})
			})
		}
	}
}

func TestLeaveDuringJoinFrom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := holding(false)
		l, m := open(t, d), &member{}
		joined := make(chan layers.History)
		go func() { joined <- joinFrom(t, l, m, protocol.Position{}) }()
		<-d.reading
		send(t, l, "x", 1)
		join(t, l, "g", m) // it is one already
		if _, err := l.JoinFrom(t.Context(), "g", m, layers.Range{}); !errors.Is(err, layers.ErrJoining) {
			t.Errorf("another JoinFrom meanwhile: %v", err)
		}
		l.Leave("g", m)
		close(d.goOn)
		<-joined
		send(t, l, "x", 2)
		record(t, l, 3, layers.Retention{})
		synctest.Wait()
		if notes, _ := m.got(); notes > 0 {
			t.Errorf("%d events came to a member that has left", notes)
		}
		join(t, l, "g", m)
		send(t, l, "x", 4)
		if got := m.heard("x"); !slices.Equal(got, []int{4}) {
			t.Errorf("after joining again: %v, want [4]", got)
		}
	})
}

// gapWatcher is told about its layer.
type gapWatcher struct{ member }

func (*gapWatcher) Watches(string) bool { return true }

// TestMembersThatCatchUpReceiveStateOnce, however many groups they are in.
func TestMembersThatCatchUpReceiveStateOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &archive{}
		l, w := open(t, d), &gapWatcher{}
		for _, group := range []string{"g", "h"} { // it is catching up until the next record
			_, recordErr := l.Record(t.Context(), group, noted().New(note{}), layers.Retention{})
			synctest.Wait()
			_, joinErr := l.JoinFrom(t.Context(), group, w, layers.Range{})
			if err := errors.Join(recordErr, joinErr); err != nil {
				t.Error(err)
			}
		}
		join(t, l, "i", w)
		joinFrom(t, l, &member{}, protocol.Position{}) // does not watch
		d.receiver.State(layers.ErrDown)
		d.receiver.Gap("g")
		var types []string
		for _, e := range w.takeAll() {
			types = append(types, e.Type())
		}
		if want := []string{layers.Down.Name, layers.Gap.Name}; !slices.Equal(types, want) {
			t.Errorf("told %q, want %q", types, want)
		}
	})
}

// TestAJoinAfterLeavingIsNotTheOneThatFails: what fails takes only its own along.
func TestAJoinAfterLeavingIsNotTheOneThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := holding(false)
		l, m := open(t, d), &member{}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := l.JoinFrom(ctx, "g", m, layers.Range{})
			failed <- err
		}()
		<-d.reading
		l.Leave("g", m)
		join(t, l, "g", m)
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("JoinFrom returned %v", err)
		}
		send(t, l, "x", 1)
		if got := m.heard("x"); !slices.Equal(got, []int{1}) {
			t.Errorf("the member that has joined gets %v, want [1]", got)
		}
	})
}

// TestJoinFromAgain is what a member does that may have missed something.
func TestJoinFromAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, m := new(layers.Layer), &member{}
		other := &member{}
		join(t, l, "g", other)
		var last protocol.Position
		for n := range 20 {
			want := []int{2 * n, 2*n + 1}
			record(t, l, want[0], layers.Retention{})
			if n%3 == 0 {
				join(t, l, "g", m) // no change
			}
			h := joinFrom(t, l, m, last)
			if n > 0 && len(h.Events) != 1 {
				t.Errorf("round %d: read %+v", n, h)
			}
			last = record(t, l, want[1], layers.Retention{})
			if n == 0 {
				want = want[1:]
			}
			if got := m.heard("x"); !slices.Equal(got, want) {
				t.Errorf("round %d: delivered %v, want %v", n, got, want)
			}
			if n%5 == 4 {
				joinFrom(t, l, m, last) // twice, and nothing in between
				last = joinFrom(t, l, m, last).Last
			}
			if got := other.heard("x"); len(got) != 2 {
				t.Errorf("round %d: another member got %v", n, got)
			}
		}
		l.Leave("g", m)
		record(t, l, 100, layers.Retention{})
		if notes, _ := m.got(); notes > 0 {
			t.Errorf("%d events came after leaving", notes)
		}
	})
}

// TestADriverThatStoresNothing connects nodes, and no more.
func TestADriverThatStoresNothing(t *testing.T) {
	t.Parallel()
	l, m, ctx := open(t, &bare{}), &member{}, t.Context()
	_, recordErr := l.Record(ctx, "g", noted().New(note{}), layers.Retention{})
	_, historyErr := l.History(ctx, "g", layers.Range{})
	_, joinErr := l.JoinFrom(ctx, "g", m, layers.Range{})
	_, presentErr := l.Present(ctx, "g")
	_, pullErr := l.Pull(ctx, "jobs")
	for name, err := range map[string]error{
		"Record": recordErr, "History": historyErr, "JoinFrom": joinErr, "Present": presentErr,
		"Pull": pullErr, "Send": l.Send(ctx, "jobs", noted().New(note{})),
		"Enter": l.Enter(ctx, "g", layers.Presence{ID: "1", Key: "ann"}), "Exit": l.Exit(ctx, "g", "1"),
	} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "*layers_test.bare") {
			t.Errorf("%s: %v", name, err)
		}
	}
	send(t, l, "x", 1)
	if notes, _ := m.got(); notes > 0 {
		t.Error("a member that could not join has got something")
	}
}

// TestJoinFromTheNewest: a limit leaves out the oldest, never what lies between the
// history and what comes live.
func TestJoinFromTheNewest(t *testing.T) {
	t.Parallel()
	l := new(layers.Layer)
	for range 10 {
		if _, err := l.Record(t.Context(), "g", noted().New(note{}), layers.Retention{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		at       testkit.Line
		r        layers.Range
		first, n int
		complete bool
	}{
		{testkit.Here(), layers.Range{Limit: 3}, 8, 3, false},
		{testkit.Here(), layers.Range{Limit: 3, Newest: true}, 8, 3, false},
		{testkit.Here(), layers.Range{Limit: 20}, 1, 10, true},
		{testkit.Here(), layers.Range{}, 1, 10, true},
	} {
		m := &member{}
		h, err := l.JoinFrom(t.Context(), "g", m, row.r)
		if err != nil || len(h.Events) != row.n || h.Events[0].Position().Offset != uint64(row.first) || h.Complete != row.complete || h.Last.Offset != 10 {
			t.Errorf("%s: read %d events, complete: %t, up to %v, error %v; want %d from %d on", row.at, len(h.Events), h.Complete, h.Last, err, row.n, row.first)
		}
		l.Leave("g", m)
	}
}
