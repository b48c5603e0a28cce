package protocol

import (
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestReadBudgetFree: 4 KiB of each kind are not counted, and a connection of which
// nothing is counted has no account.
func TestReadBudgetFree(t *testing.T) {
	t.Parallel()
	const kib = 1 << 10
	b := &readBudget{}
	one, two := &Session{}, &Session{}
	for i, step := range []struct {
		at       testkit.Line
		s        *Session
		kind, n  int
		used     int
		evicted  int
		one, two bool // have an account
	}{
		{testkit.Here(), one, heldIncomplete, 4 * kib, 0, 0, false, false},
		{testkit.Here(), one, heldIncomplete, 4*kib + 1, 4*kib + 1, 0, true, false},
		{testkit.Here(), one, heldWaiting, 4 * kib, 4*kib + 1, 0, true, false},
		{testkit.Here(), one, heldIncomplete, 4 * kib, 0, 0, false, false},
		{testkit.Here(), one, heldWaiting, 60 * kib, 60 * kib, 0, true, false},
		{testkit.Here(), two, heldIncomplete, 40 * kib, 100 * kib, 0, true, true},
		{testkit.Here(), two, heldIncomplete, 41 * kib, 41 * kib, 1, false, true},
		{testkit.Here(), one, heldWaiting, 0, 41 * kib, 0, false, true},
		{testkit.Here(), two, heldIncomplete, 101 * kib, 0, 1, false, false},
	} {
		evicted := b.set(step.s, step.kind, step.n, 100*kib)
		if len(evicted) != step.evicted || b.held() != step.used {
			t.Errorf("%s: step %d: %d evicted, %d held; want %d, %d", step.at, i, len(evicted), b.held(), step.evicted, step.used)
		}
		if got := [2]bool{one.isHolding(), two.isHolding()}; got != [2]bool{step.one, step.two} {
			t.Errorf("%s: step %d: accounts: %v", step.at, i, got)
		}
	}
}
