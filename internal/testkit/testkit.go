// Package testkit is shared by the tests of all Wye modules: a test run fails if it leaks
// goroutines or descriptors, rows of tables name their line, and expensive tests have a
// short form.
package testkit

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main runs the tests, for TestMain, and then the functions after, which stop what TestMain
// has started for all tests. It fails the run if goroutines, sockets, pipes or files remain
// that were not open before.
func Main(m *testing.M, after ...func()) {
	startPoller()
	before := descriptors()
	code := m.Run()
	for _, f := range after {
		f()
	}
	if code == 0 {
		code = report("goroutines", leftOver(goroutines))
	}
	if code == 0 {
		code = report("descriptors", leftOver(func() []string { return added(before, descriptors()) }))
	}
	os.Exit(code)
}

func report(what string, left []string) (code int) {
	if len(left) == 0 {
		return 0
	}
	fmt.Fprintf(os.Stderr, "FAIL: the tests have left %d %s:\n%s\n", len(left), what, strings.Join(left, "\n\n"))
	return 1
}

// patience is how long Main waits for goroutines and descriptors to go away.
const patience = 5 * time.Second

// leftOver calls look until it returns nothing, or for as long as patience.
func leftOver(look func() []string) (left []string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		left = look()
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// expected are goroutines that belong to the runtime, the test runner or this
// package.
//
//nolint:gochecknoglobals // a table
var expected = []string{
	"testing.Main(", "testing.(*M).", "testing.runFuzzing", "testing.runTests",
	"runtime.goexit0", "runtime.ReadTrace", "runtime.ensureSigM", "os/signal.signal_recv", "os/signal.loop",
	"testkit.goroutines(", "created by runtime.gc",
}

func goroutines() (left []string) {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
next:
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		for _, e := range expected {
			if strings.Contains(stack, e) {
				continue next
			}
		}
		left = append(left, stack)
	}
	return left
}

// startPoller has the runtime open the descriptors of its poller, which stay open.
func startPoller() {
	if r, w, err := os.Pipe(); err == nil {
		_, _ = r.Close(), w.Close() //nolint:errcheck // nothing was written
	}
}

// descriptors returns the open sockets, pipes, files and pollers of the process. Without
// /proc it returns none.
func descriptors() map[string]bool {
	open := map[string]bool{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return open
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || strings.HasPrefix(target, "anon_inode:") && !strings.Contains(target, "[event") || strings.HasPrefix(target, "/proc/") ||
			strings.HasPrefix(target, "/sys/") || strings.HasPrefix(target, "/dev/") {
			continue
		}
		open[e.Name()+" -> "+target] = true
	}
	return open
}

func added(before, after map[string]bool) (left []string) {
	for d := range after {
		if !before[d] {
			left = append(left, d)
		}
	}
	return left
}

// Line is the position of a row of a table. Give a table a field of this type and each
// row a Here(), and print it in failures.
type Line string

// Here returns the line of its call.
func Here() Line {
	_, file, line, _ := runtime.Caller(1)
	return Line(fmt.Sprintf("%s:%d", file[strings.LastIndexByte(file, '/')+1:], line))
}
