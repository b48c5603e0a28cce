package websocket

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRoster adds and removes at random, beside a set.
func TestRoster(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var r roster
	var want []*conn
	for range 5000 {
		if len(want) == 0 || random.IntN(100) < 52 {
			c := &conn{}
			r.add(c)
			want = append(want, c)
		} else {
			i := random.IntN(len(want))
			r.remove(want[i])
			want = slices.Delete(want, i, i+1)
		}
		if r.n != len(want) {
			t.Fatalf("n is %d, want %d", r.n, len(want))
		}
	}
	got := map[*conn]bool{}
	for _, c := range r.all() {
		got[c] = true
		if r.slots[c.place.slot][c.place.index] != c {
			t.Fatal("a connection is not where it thinks it is")
		}
	}
	for _, c := range want {
		if !got[c] {
			t.Fatal("one is missing")
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d connections, want %d", len(got), len(want))
	}
	for i, slot := range r.slots {
		if want := len(want) / turnSlots; len(slot) < want/2 || len(slot) > want*2 {
			t.Errorf("slot %d has %d connections, want about %d", i, len(slot), want)
		}
	}
}
