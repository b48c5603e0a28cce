package layers_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// upTo is 0, 1, ... n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestPromise11_EachSendersEventsArriveInOrder(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 200
	l, all := group(t, 3)
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				send(t, l, fmt.Sprint(s), n)
			}
		})
	}
	wg.Wait()
	for i, m := range all {
		bySender := map[string][]int{}
		for _, n := range m.mu.notes {
			bySender[n.From] = append(bySender[n.From], n.N)
		}
		for s := range senders {
			if got := bySender[fmt.Sprint(s)]; !slices.Equal(got, upTo(each)) {
				t.Errorf("member %d got from sender %d: %v, want all in order", i, s, got)
			}
		}
	}
}

// meddler uses the layer from within its own delivery.
type meddler struct {
	member
	layer   *layers.Layer
	others  []*member
	meddled atomic.Bool
}

func (m *meddler) Deliver(e *protocol.Event) bool {
	m.member.Deliver(e)
	m.meddle()
	return true
}

func (m *meddler) Offer(p *protocol.Prepared) bool {
	m.member.Offer(p)
	m.meddle()
	return true
}

func (m *meddler) meddle() {
	if m.meddled.Swap(true) {
		return
	}
	ctx := context.Background()
	m.layer.Leave("g", m)
	for _, o := range m.others {
		m.layer.Leave("g", o)
	}
	_ = m.layer.Join(ctx, "h", m)
	_ = m.layer.Join(ctx, "g", m)
	if unbind, err := m.layer.Bind("c", m); err == nil {
		defer unbind()
	}
	_ = m.layer.Send(ctx, "c", noted().New(note{"self", 1}))
	_ = m.layer.GroupSend(ctx, "h", noted().New(note{"self", 2}))
	_ = m.layer.GroupSend(ctx, "g", noted().New(note{"self", 3}))
	_ = m.layer.Broadcast(ctx, "g", protocol.Text("x"))
}

func TestNoLockIsHeldDuringDelivery(t *testing.T) {
	t.Parallel()
	ctx, first := context.Background(), noted().New(note{"x", 0})
	rows := []struct {
		at              testkit.Line
		name            string
		send            func(l *layers.Layer) error
		notes, messages int // that each of the others gets
	}{
		{testkit.Here(), "GroupSend", func(l *layers.Layer) error { return l.GroupSend(ctx, "g", first) }, 1, 0},
		{testkit.Here(), "Broadcast", func(l *layers.Layer) error { return l.Broadcast(ctx, "g", protocol.Text("x")) }, 0, 1},
		{testkit.Here(), "Send", func(l *layers.Layer) error { return l.Send(ctx, "meddler", first) }, 0, 0},
	}
	for _, row := range rows {
		l := new(layers.Layer)
		m := &meddler{layer: l}
		if _, err := l.Bind("meddler", m); err != nil {
			t.Fatal(err)
		}
		join(t, l, "g", m)
		for range 3 {
			o := &member{}
			m.others = append(m.others, o)
			join(t, l, "g", o)
		}
		if err := row.send(l); err != nil {
			t.Error(err)
		}
		if got := m.heard("self"); !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("%s: %s: the member that meddles got %v from itself, want [1 2 3]", row.at, row.name, got)
		}
		// The others were members when the send began, and are not any more.
		send(t, l, "x", 1)
		for i, o := range m.others {
			if notes, messages := o.got(); notes != row.notes || messages != row.messages {
				t.Errorf("%s: %s: member %d got %d notes and %d messages, want %d and %d", row.at, row.name, i, notes, messages, row.notes, row.messages)
			}
		}
	}
}

// TestMembersComeAndGoDuringSends has some come and go while others send. Who
// stays gets everything once; who comes and goes gets what is sent between.
func TestMembersComeAndGoDuringSends(t *testing.T) {
	t.Parallel()
	const goers, rounds = 6, 300
	l, stayers := group(t, 3)
	outsider := &member{}
	join(t, l, "other", outsider)
	var wg sync.WaitGroup
	for g := range goers {
		wg.Go(func() {
			me, name := &member{}, fmt.Sprint(g)
			for n := range rounds {
				join(t, l, "g", me)
				send(t, l, name, 2*n)
				l.Leave("g", me)
				send(t, l, name, 2*n+1)
				if got := me.heard(name); !slices.Equal(got, []int{2 * n}) {
					t.Errorf("in round %d goer %d got %v of what it sent, want [%d]", n, g, got, 2*n)
					return
				}
			}
		})
	}
	wg.Wait()
	for i, m := range stayers {
		bySender := map[string][]int{}
		for _, n := range m.mu.notes {
			bySender[n.From] = append(bySender[n.From], n.N)
		}
		for g := range goers {
			if got := bySender[fmt.Sprint(g)]; !slices.Equal(got, upTo(2*rounds)) {
				t.Errorf("stayer %d got %d notes of goer %d, want all %d in order", i, len(got), g, 2*rounds)
			}
		}
	}
	if notes, _ := outsider.got(); notes != 0 {
		t.Errorf("a member of another group got %d notes", notes)
	}
}

func TestBroadcastsSideBySide(t *testing.T) {
	t.Parallel()
	const senders, each = 6, 200
	l, all := group(t, 4)
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			b := make([]byte, 0, 32)
			for n := range each {
				b = fmt.Appendf(b[:0], "%d %d", s, n)
				if err := l.Broadcast(context.Background(), "g", protocol.Message{Data: b}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, m := range all {
		next := map[int]int{}
		for _, text := range m.mu.messages {
			var s, n int
			if _, err := fmt.Sscan(text, &s, &n); err != nil || next[s] != n {
				t.Fatalf("member %d got %q (%v), want number %d of that sender", i, text, err, next[s])
			}
			next[s]++
		}
		if len(m.mu.messages) != senders*each {
			t.Errorf("member %d got %d messages, want %d", i, len(m.mu.messages), senders*each)
		}
	}
}
