// Package soak runs a server under honest and hostile peers at once for a long time, and
// then holds its books against each other: every accepted connection must have been
// disconnected once, with a code, and goroutines, descriptors and memory must be back
// where they were.
package soak
