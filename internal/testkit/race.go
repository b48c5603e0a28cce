//go:build race

package testkit

// Race says that the race detector is on, under which allocation tests measure
// nothing.
const Race = true
