package layers_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// seeds are the lives that a model tries: 1 to n. As for the model of package
// protocol, WYE_SEED=n runs that one again, WYE_SEEDS=n those from 1 to n.
func seeds(t *testing.T, n uint64) (first, last uint64) {
	t.Helper()
	first, last = 1, n
	if testing.Short() {
		last = max(n/5, 1)
	}
	for name, alone := range map[string]bool{"WYE_SEED": true, "WYE_SEEDS": false} {
		env := os.Getenv(name)
		if env == "" {
			continue
		}
		n, err := strconv.ParseUint(env, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if last = n; alone {
			return n, n
		}
	}
	return first, last
}

// try lives the lives of n seeds, each in a bubble, and fails for those in which
// something was wrong. sights are what lives must have led to at least once, if
// they are not fewer than usual: otherwise nothing has been tested.
func try(t *testing.T, n uint64, sights []string, live func(t *testing.T, seed uint64) *chronicle) {
	t.Helper()
	first, last := seeds(t, n)
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
