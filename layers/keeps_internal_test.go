package layers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

func noise() *protocol.Event {
	return protocol.EventType[struct{}]{Name: "x"}.New(struct{}{})
}

// TestHistoriesThatNobodyUsesGo: whoever uses one takes the others along.
func TestHistoriesThatNobodyUsesGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l Layer
		ctx := context.Background()
		record := func(group string) {
			t.Helper()
			if _, err := l.Record(ctx, group, noise(), Keep{For: time.Minute}); err != nil {
				t.Fatal(err)
			}
		}
		const groups = 1000
		for i := range groups {
			record(fmt.Sprint("g", i))
		}
		left := func() (histories, events int) {
			for i := range l.histories.table {
				for _, h := range l.histories.table[i].names {
					histories++
					events += h.ring.Len()
				}
			}
			return histories, events
		}
		turn := func(use func()) {
			for range shards {
				<-time.After(sweepEvery)
				use()
			}
		}
		turn(func() { record("used") }) // the first turn begins too early
		turn(func() { record("used") })
		if n, events := left(); n != groups+1 || events > shards {
			t.Errorf("after two minutes %d histories are left with %d events, want all and those of the last minute", n, events)
		}
		// In the next turn the others are forgotten, whose last event was an hour and
		// a minute ago, and the used one not yet, whatever shard it is in.
		<-time.After(store.Linger - time.Minute)
		if _, err := l.History(ctx, "g1", Range{}); err != nil {
			t.Error(err)
		}
		turn(func() {
			if _, err := l.History(ctx, "nothing", Range{}); err != nil {
				t.Error(err)
			}
		})
		if _, there := l.histories.table.get("used"); !there {
			t.Error("the one that was used until just now has gone")
		}
		if n, events := left(); n != 1 || events != 0 {
			t.Errorf("after an hour %d histories are left with %d events, want the one that was used until just now", n, events)
		}
	})
}

func TestCrowdsThatAreNobodyGo(t *testing.T) {
	t.Parallel()
	var l Layer
	d := &dot{}
	for i := range 100 {
		group, p := fmt.Sprint("g", i), Presence{ID: "1", Key: "ann"}
		if i%2 == 0 {
			if err := l.Join(t.Context(), group, d); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range []error{
			l.Enter(t.Context(), group, p), l.Enter(t.Context(), group, p), l.Exit(t.Context(), group, "1"), l.Exit(t.Context(), group, "2"),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	n := 0
	for i := range l.crowds.table {
		n += len(l.crowds.table[i].names)
	}
	if n > 0 {
		t.Errorf("%d crowds are left", n)
	}
}

// TestLateMembersBecomeMembers with the next event of the history, and at once if
// there is none.
func TestLateMembersBecomeMembers(t *testing.T) {
	t.Parallel()
	var l Layer
	late := func() int { return len(l.groups.shard("g").names["g"].late) }
	join := func() {
		t.Helper()
		if _, err := l.JoinFrom(t.Context(), "g", &dot{}, Range{}); err != nil {
			t.Fatal(err)
		}
	}
	record := func() {
		t.Helper()
		if _, err := l.Record(t.Context(), "g", noise(), Keep{}); err != nil {
			t.Fatal(err)
		}
	}
	join()
	if n := late(); n != 0 {
		t.Errorf("%d are late in a group without history", n)
	}
	record()
	for range 2 * chunkSize {
		join()
	}
	if err := l.GroupSend(t.Context(), "g", noise()); err != nil {
		t.Fatal(err)
	}
	if n := late(); n != 2*chunkSize {
		t.Errorf("%d are late before the next event", n)
	}
	record()
	g := l.groups.shard("g").names["g"]
	if g.late != nil || g.len() != 2*chunkSize+1 {
		t.Errorf("%d of %d are late after it", late(), g.len())
	}
	for i, m := range listOf(g.view) {
		if _, ok := m.(*dot); !ok || g.find(m) != i {
			t.Errorf("in place %d is %T, found at %d", i, m, g.find(m))
		}
	}
}

// TestRosterReplaces, and those who walk do not notice.
func TestRosterReplaces(t *testing.T) {
	t.Parallel()
	const seed = 5
	random := rand.New(rand.NewPCG(seed, seed))
	for _, size := range []int{1, searchBelow, searchBelow + 1, chunkSize, 3*chunkSize + 5} {
		g, model := &roster{}, map[Member]bool{}
		for range size {
			d := &dot{}
			g.add(d)
			model[d] = true
		}
		for range 200 {
			before := g.walk()
			then := listOf(before)
			for range 1 + random.IntN(3) {
				old, d := listOf(g.view)[random.IntN(size)], &dot{}
				g.replace(old, d)
				delete(model, old)
				model[d] = true
			}
			checkWalks(t, []walk{{before, then}})
			if !sameMembers(g, model) {
				t.Fatalf("of %d the roster has other members than it should", size)
			}
		}
	}
}
