package testkit

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Fake is a testing.TB for tests of test kits: its failures do not fail the test that
// uses it. Methods that are not below panic.
type Fake struct {
	testing.TB
	ctx context.Context //nolint:containedctx // it is the test's, as in testing.T
	log Buffer
	mu  struct {
		sync.Mutex
		failures []string
		cleanups []func()
	}
}

// Try runs test with a new Fake on a new goroutine, then after, then the cleanups. It
// returns the failures, one line each, and the log.
func Try(ctx context.Context, test func(tb *Fake), after ...func()) (failures, log string) {
	ctx, cancel := context.WithCancel(ctx)
	f := &Fake{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			cancel()
			for _, do := range after {
				do()
			}
			for _, clean := range slices.Backward(f.mu.cleanups) {
				clean()
			}
		}()
		test(f)
	}()
	<-done
	return strings.Join(f.mu.failures, "\n"), f.log.String()
}

// Helper does nothing.
func (f *Fake) Helper() {}

// Context returns a context that is done when the test has returned.
func (f *Fake) Context() context.Context { return f.ctx }

// Output returns the log.
func (f *Fake) Output() io.Writer { return &f.log }

// Cleanup makes clean run after the test.
func (f *Fake) Cleanup(clean func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.cleanups = append(f.mu.cleanups, clean)
}

// Errorf adds a failure.
func (f *Fake) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.failures = append(f.mu.failures, fmt.Sprintf(format, args...))
}

// Fatalf adds a failure and ends the test.
func (f *Fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// Fatal adds a failure and ends the test.
func (f *Fake) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }
