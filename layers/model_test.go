package layers_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
)

// try lives the lives of n seeds, each in a bubble, and fails for those in which
// something was wrong. sights are what lives must have led to at least once, if
// they are not fewer than usual: otherwise nothing has been tested.
func try(t *testing.T, n uint64, sights []string, live func(t *testing.T, seed uint64) *chronicle) {
	t.Helper()
	first, last := testkit.Seeds(t, n)
	seen, failed := map[string]int{}, 0
	for seed := first; seed <= last; seed++ {
		var c *chronicle
		synctest.Test(t, func(t *testing.T) { c = live(t, seed) })
		for name, times := range c.mu.sights {
			seen[name] += times
		}
		if len(c.mu.wrong) == 0 {
			continue
		}
		t.Errorf("WYE_SEED=%d: %s\n\nwhat happened:\n%s", seed, strings.Join(c.mu.wrong, "\n"), strings.Join(c.mu.log, "\n"))
		failed++
		if failed == 3 {
			t.Fatalf("giving up after %d failures, at seed %d of %d", failed, seed, last)
		}
	}
	if last-first+1 < n {
		return
	}
	for _, name := range sights {
		if seen[name] == 0 {
			t.Errorf("no life has led to %q: the model no longer reaches all that it checks", name)
		}
	}
	t.Log("what lives have led to:", fmt.Sprint(seen))
}
