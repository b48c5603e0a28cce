package liveness

import (
	"math/rand/v2"
	"slices"
	"testing"
)

type member struct{ position Position }

func (m *member) WheelPosition() *Position { return &m.position }

// TestWheel adds and removes members at random, beside a list of them.
func TestWheel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var w Wheel[*member]
	var want []*member
	for range 5000 {
		if len(want) == 0 || random.IntN(100) < 52 {
			m := &member{}
			w.Add(m)
			want = append(want, m)
		} else {
			i := random.IntN(len(want))
			w.Remove(want[i])
			want = slices.Delete(want, i, i+1)
		}
		if w.Len() != len(want) {
			t.Fatalf("Len is %d, want %d", w.Len(), len(want))
		}
	}
	got := map[*member]bool{}
	for _, m := range w.All() {
		got[m] = true
		if w.slots[m.position.slot][m.position.index] != m {
			t.Fatal("a member is not at its position")
		}
	}
	for _, m := range want {
		if !got[m] {
			t.Fatal("a member is missing")
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d members, want %d", len(got), len(want))
	}
	for i, slot := range w.slots {
		if want := len(want) / Slots; len(slot) < want/2 || len(slot) > want*2 {
			t.Errorf("slot %d has %d members, want about %d", i, len(slot), want)
		}
	}
}

// TestWheelAdvance makes sure that each member is due once in Slots ticks.
func TestWheelAdvance(t *testing.T) {
	t.Parallel()
	var w Wheel[*member]
	for range 3*Slots + 5 {
		w.Add(&member{})
	}
	for round := range 2 {
		due := map[*member]int{}
		var buf []*member
		for range Slots {
			buf = w.Advance(buf[:0])
			if len(buf) < 3 || len(buf) > 4 {
				t.Errorf("round %d: %d members are due at one tick, want 3 or 4", round, len(buf))
			}
			for _, m := range buf {
				due[m]++
			}
		}
		for _, m := range w.All() {
			if due[m] != 1 {
				t.Errorf("round %d: a member was due %d times, want once", round, due[m])
			}
		}
	}
}
