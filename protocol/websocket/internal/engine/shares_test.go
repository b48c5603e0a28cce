package engine

import (
	"testing"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// TestShares makes sure that equal limits are in memory once, and that there is a bound.
func TestShares(t *testing.T) {
	t.Parallel()
	e := New(Config{Limits: protocol.Limits{}.WithDefaults()})
	of := func(queueBytes, groups int) share {
		l := protocol.Limits{QueueBytes: queueBytes, Groups: groups}.WithDefaults()
		return e.shareOf(&l, frame.Inflate{})
	}
	if of(100, 1) != of(100, 2) {
		t.Error("limits that differ in what does not matter here have shares of their own")
	}
	if a, b := of(100, 1), of(101, 1); a == b || a.budget.Each != 100 || b.budget.Each != 101 || a.budget.Pool != b.budget.Pool {
		t.Errorf("shares of other limits: %+v and %+v", a.budget, b.budget)
	}
	for i := range 2 * maxShares {
		if s := of(1000+i, 1); s.budget.Each != 1000+i {
			t.Fatalf("got %d, want %d", s.budget.Each, 1000+i)
		}
	}
	if n := len(*e.shares.known.Load()); n != maxShares {
		t.Errorf("%d shares are kept, want %d", n, maxShares)
	}
}
