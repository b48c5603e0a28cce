package testkit

import "testing"

// Count returns how many rounds, peers or bytes a test uses: full, or short under
// go test -short.
func Count[N int | uint64](full, short N) N {
	if testing.Short() {
		return short
	}
	return full
}

// SkipLong skips the test under go test -short, and logs why. make unit runs it.
func SkipLong(t testing.TB, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip("long: " + why)
	}
}
