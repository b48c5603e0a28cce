package layers_test

import (
	"context"
	"errors"
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

// record records note n from x in group "g".
func record(t *testing.T, l *layers.Layer, n int, k layers.Retention) protocol.Position {
	t.Helper()
	p, err := l.Record(context.Background(), "g", noted().New(note{"x", n}), k)
	if err != nil {
		t.Error(err)
	}
	return p
}

// read reads all of group "g".
func read(t *testing.T, l *layers.Layer, after protocol.Position) layers.History {
	t.Helper()
	h, err := l.History(context.Background(), "g", layers.Range{After: after})
	if err != nil {
		t.Error(err)
	}
	return h
}

// numbers are the numbers of the notes.
func numbers(t *testing.T, events []*protocol.Event) (ns []int) {
	t.Helper()
	for _, e := range events {
		n, err := noted().Payload(e)
		if err != nil {
			t.Error(err)
		}
		ns = append(ns, n.N)
	}
	return ns
}

// places are where the events are.
func places(events []*protocol.Event) (all []protocol.Position) {
	for _, e := range events {
		all = append(all, e.Position())
	}
	return all
}

// takeAll returns the events that came, and forgets all there is.
func (m *member) takeAll() []*protocol.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	events := m.mu.events
	m.mu.events, m.mu.notes = nil, nil
	return events
}

func TestRecordIsASendThatIsKept(t *testing.T) {
	t.Parallel()
	l, all := group(t, 2)
	e := noted().New(note{"x", 1})
	p, err := l.Record(t.Context(), "g", e, layers.Retention{})
	if err != nil || p.Offset != 1 || p.Epoch == "" || !e.Position().IsZero() {
		t.Errorf("recorded at %q (%v), and the event is at %q", p, err, e.Position())
	}
	send(t, l, "x", 2)
	if q := record(t, l, 3, layers.Retention{}); q.Epoch != p.Epoch || q.Offset != 2 {
		t.Errorf("after %q comes %q", p, q)
	}
	h := read(t, l, protocol.Position{})
	if got := numbers(t, h.Events); !slices.Equal(got, []int{1, 3}) || !h.Complete || h.Last.Offset != 2 {
		t.Errorf("kept %v up to %q, complete: %t", got, h.Last, h.Complete)
	}
	for i, m := range all {
		events := m.takeAll()
		if got := numbers(t, events); !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("member %d got %v", i, got)
		}
		if got, want := places(events), []protocol.Position{p, {}, h.Last}; !slices.Equal(got, want) {
			t.Errorf("member %d got events at %q, want %q", i, got, want)
		}
	}
}

func TestHistoryInPieces(t *testing.T) {
	t.Parallel()
	var l layers.Layer
	for n := range 7 {
		record(t, &l, n, layers.Retention{})
	}
	var got []int
	var at protocol.Position
	for range 5 {
		h, err := l.History(t.Context(), "g", layers.Range{After: at, Limit: 2})
		if err != nil || !h.Complete || h.Last.Offset != 7 {
			t.Errorf("after %q: %+v (%v)", at, h, err)
		}
		if n := len(h.Events); n > 0 {
			at = h.Events[n-1].Position()
		}
		got = append(got, numbers(t, h.Events)...)
	}
	if !slices.Equal(got, upTo(7)) {
		t.Errorf("read %v in pieces of 2", got)
	}
}

func TestHistoryOfAGroupWithoutAny(t *testing.T) {
	t.Parallel()
	var l layers.Layer
	if h := read(t, &l, protocol.Position{}); !h.Complete || h.Events != nil || !h.Last.IsZero() {
		t.Errorf("from the beginning: %+v", h)
	}
	if h := read(t, &l, protocol.Position{Epoch: "E", Offset: 1}); h.Complete || h.Events != nil || !h.Last.IsZero() {
		t.Errorf("from a place that it does not know: %+v", h)
	}
}

// TestWhatIsSentOnHasNoPlace: an event that was read and goes elsewhere.
func TestWhatIsSentOnHasNoPlace(t *testing.T) {
	t.Parallel()
	l, all := group(t, 1)
	unbind, err := l.Bind("c", all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unbind()
	record(t, l, 1, layers.Retention{})
	e := read(t, l, protocol.Position{}).Events[0]
	ctx := t.Context()
	if err := errors.Join(l.GroupSend(ctx, "g", e), l.Send(ctx, "c", e), l.Send(ctx, "worker", e)); err != nil {
		t.Fatal(err)
	}
	pulled, err := l.Pull(ctx, "worker")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range places(append(all[0].takeAll()[1:], pulled)) {
		if !p.IsZero() {
			t.Errorf("event %d is at %q, where it is not", i, p)
		}
	}
}

func TestWhatARecorderCanGetWrong(t *testing.T) {
	t.Parallel()
	l, all := group(t, 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	fine, number := noted().New(note{}), protocol.EventType[int]{Name: "bad"}.New(7)
	rows := []struct {
		at   testkit.Line
		name string
		ctx  context.Context //nolint:containedctx // a row of a table
		to   string
		e    *protocol.Event
		keep layers.Retention
		want string
	}{
		{testkit.Here(), "invalid name", t.Context(), "two words", fine, layers.Retention{}, `"two words"`},
		{testkit.Here(), "ctx has ended", ended, "g", fine, layers.Retention{}, "canceled"},
		{testkit.Here(), "a number", t.Context(), "g", number, layers.Retention{}, "send a struct or a map"},
		{testkit.Here(), "too many", t.Context(), "g", fine, layers.Retention{MaxEvents: layers.MaxRetentionEvents + 1}, "at most 10000 events"},
		{testkit.Here(), "less than none", t.Context(), "g", fine, layers.Retention{MaxEvents: -1}, "not -1"},
		{testkit.Here(), "too long", t.Context(), "g", fine, layers.Retention{MaxAge: layers.MaxRetentionAge + 1}, "168h0m0s"},
		{testkit.Here(), "less than no time", t.Context(), "g", fine, layers.Retention{MaxAge: -1}, "-1ns"},
	}
	for _, row := range rows {
		p, err := l.Record(row.ctx, row.to, row.e, row.keep)
		if err == nil || !strings.Contains(err.Error(), row.want) || !p.IsZero() {
			t.Errorf("%s: %s: recorded at %q (%v), want %q", row.at, row.name, p, err, row.want)
		}
	}
	if h := read(t, l, protocol.Position{}); !h.Last.IsZero() || len(all[0].takeAll()) > 0 {
		t.Errorf("something was kept or delivered in spite of the errors: %+v", h)
	}
	if _, err := l.History(ended, "g", layers.Range{}); !errors.Is(err, context.Canceled) {
		t.Errorf("History returned %v", err)
	}
}

func TestAHistoryAges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l layers.Layer
		first := record(t, &l, 1, layers.Retention{MaxAge: time.Minute})
		<-time.After(30 * time.Second)
		second := record(t, &l, 2, layers.Retention{MaxAge: time.Minute})
		rows := []struct {
			at       testkit.Line
			wait     time.Duration
			after    protocol.Position
			want     []int
			last     protocol.Position
			complete bool
		}{
			{testkit.Here(), 30*time.Second - 1, first, []int{2}, second, true},
			{testkit.Here(), 0, protocol.Position{}, []int{1, 2}, second, true},
			{testkit.Here(), 1, protocol.Position{}, []int{2}, second, false},
			{testkit.Here(), 30 * time.Second, first, nil, second, false},
			{testkit.Here(), 0, second, nil, second, true},
			{testkit.Here(), time.Hour - 1, second, nil, second, true},
			{testkit.Here(), 1, second, nil, protocol.Position{}, false},
			{testkit.Here(), 0, protocol.Position{}, nil, protocol.Position{}, true},
		}
		for _, row := range rows {
			<-time.After(row.wait)
			h := read(t, &l, row.after)
			if got := numbers(t, h.Events); !slices.Equal(got, row.want) || h.Last != row.last || h.Complete != row.complete {
				t.Errorf("%s: read %v up to %q, complete: %t; want %v up to %q", row.at, got, h.Last, h.Complete, row.want, row.last)
			}
		}
		if p := record(t, &l, 3, layers.Retention{}); p.Offset != 1 || p.Epoch == first.Epoch {
			t.Errorf("after it was forgotten the history goes on at %q", p)
		}
		if h := read(t, &l, second); h.Complete || len(h.Events) != 1 {
			t.Errorf("a place of the old history: %+v, want all and not complete", h)
		}
	})
}

// slow is a member that takes an event when it is let.
type slow struct {
	member
	let chan struct{}
}

func (s *slow) Deliver(e *protocol.Event) bool {
	<-s.let
	return s.member.Deliver(e)
}

// TestRecordsBehindASlowMember: nobody waits for it, up to a point, and other
// groups not at all.
func TestRecordsBehindASlowMember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l layers.Layer
		s := &slow{let: make(chan struct{})}
		join(t, &l, "g", s)
		var first sync.WaitGroup
		first.Go(func() { record(t, &l, 0, layers.Retention{}) })
		synctest.Wait()
		const room = 256
		for n := range room {
			record(t, &l, n+1, layers.Retention{})
		}
		begin := time.Now()
		p, err := l.Record(t.Context(), "g", noted().New(note{}), layers.Retention{})
		if took := time.Since(begin); !errors.Is(err, layers.ErrBehind) || !p.IsZero() || took != time.Second {
			t.Errorf("the record that there was no room for: %q, %v, after %v", p, err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := l.Record(ctx, "g", noted().New(note{}), layers.Retention{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a record without room, and without time: %v", err)
		}
		if h := read(t, &l, protocol.Position{}); h.Last.Offset != room+1 {
			t.Errorf("the history ends at %q", h.Last)
		}
		if _, err := l.Record(t.Context(), "other", noted().New(note{}), layers.Retention{}); err != nil {
			t.Errorf("another group: %v", err)
		}
		first.Go(func() { record(t, &l, room+1, layers.Retention{}) }) // it waits for room
		synctest.Wait()
		close(s.let)
		first.Wait()
		synctest.Wait()
		if got := s.heard("x"); !slices.Equal(got, upTo(room+2)) {
			t.Errorf("the slow member got %v", got)
		}
	})
}

// TestOneAtATimeHandsOn: also when that is a goroutine, which goes on for somebody.
func TestOneAtATimeHandsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l layers.Layer
		s := &slow{let: make(chan struct{})}
		join(t, &l, "g", s)
		returned := make(chan int, 4)
		for n := range 4 {
			go func() {
				record(t, &l, n, layers.Retention{})
				returned <- n
			}()
			synctest.Wait()
			if n == 2 { // 0 is handed on, and a goroutine is busy with 1
				s.let <- struct{}{}
				synctest.Wait()
			}
		}
		if len(returned) != 4 {
			t.Errorf("%d of 4 records have returned, want all: they wait for nobody", len(returned))
		}
		close(s.let)
		synctest.Wait()
		if got := s.heard("x"); !slices.Equal(got, upTo(4)) {
			t.Errorf("got %v", got)
		}
	})
}

// recorder records what it is given once more, with the next number below.
type recorder struct {
	member
	layer *layers.Layer
}

func (r *recorder) Deliver(e *protocol.Event) bool {
	r.member.Deliver(e)
	if n, err := noted().Payload(e); err == nil && n.N > 0 {
		_, _ = r.layer.Record(context.Background(), "g", noted().New(note{n.From, n.N - 1}), layers.Retention{})
	}
	return false
}

// TestAMemberMayRecordWhileItIsDelivered: what runs under delivery can be a logger
// that records.
func TestAMemberMayRecordWhileItIsDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l layers.Layer
		r := &recorder{layer: &l}
		join(t, &l, "g", r)
		record(t, &l, 5, layers.Retention{})
		synctest.Wait()
		if got := r.heard("x"); !slices.Equal(got, []int{5, 4, 3, 2, 1, 0}) {
			t.Errorf("got %v", got)
		}
	})
}

// TestRecordsOfManySendersComeInTheOrderOfTheirPlaces, to all members.
func TestRecordsOfManySendersComeInTheOrderOfTheirPlaces(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 100
	synctest.Test(t, func(t *testing.T) {
		l, all := group(t, 3)
		for range senders {
			go func() {
				for n := range each {
					record(t, l, n, layers.Retention{MaxEvents: senders * each})
				}
			}()
		}
		synctest.Wait()
		want := places(read(t, l, protocol.Position{}).Events)
		if len(want) != senders*each {
			t.Errorf("%d are kept", len(want))
		}
		for i, m := range all {
			if got := places(m.takeAll()); !slices.Equal(got, want) {
				t.Errorf("member %d got %d events, and not in the order of the history", i, len(got))
			}
		}
	})
}
