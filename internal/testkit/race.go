//go:build race

package testkit

// Race reports whether the race detector is on. It allocates, so allocation tests skip
// themselves.
const Race = true
