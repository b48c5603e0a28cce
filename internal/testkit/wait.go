package testkit

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// awaitPatience is how long Await waits. It is the time of a failure.
const awaitPatience = time.Minute

// Await returns the next value of ch, and fails the test at once if there is none within
// a minute. what names it.
func Await[T any](tb testing.TB, ch <-chan T, what string) T {
	tb.Helper()
	timer := time.NewTimer(awaitPatience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		tb.Fatalf("%s: nothing within %v", what, awaitPatience)
		panic("not reached")
	}
}

// Buffer is a bytes.Buffer for logs: it may be read while it is written to. The zero
// value is ready to use.
type Buffer struct {
	mu struct {
		sync.Mutex
		buf bytes.Buffer
	}
}

// Write appends b.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.buf.Write(p)
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.buf.String()
}
