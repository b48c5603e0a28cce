package testkit

import (
	"os"
	"strconv"
	"testing"
)

// Seeds returns the seeds of a random test: 1 to n, or a fifth of them under go test
// -short. The environment variable WYE_SEED=n selects seed n alone, WYE_SEEDS=n 1 to n.
func Seeds(t testing.TB, n uint64) (first, last uint64) {
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
