package testkit

import (
	"os"
	"strconv"
	"testing"
)

// Seeds are those that a model tries: 1 to n, and a fifth of them in short runs.
// WYE_SEED=n in the environment asks for that one alone, WYE_SEEDS=n for 1 to n.
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
