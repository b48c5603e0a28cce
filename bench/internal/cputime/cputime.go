// Package cputime has benchmarks report the CPU time that they need, which
// neighbours on the machine disturb less than they do ns/op.
package cputime

import (
	"testing"
	"time"
)

// Clock measures what the process uses, its collector and whatever else runs in
// it included. It counts nothing of what others do to the machine, and all of
// what goes on beside the goroutine that is timed.
type Clock struct {
	b     *testing.B
	start time.Duration
}

// Start starts the clock.
func Start(b *testing.B) Clock { //nolint:thelper // no helper: it begins what is measured
	return Clock{b, now()}
}

// Report adds cpu-ns/op to what b reports, if the system tells.
func (c Clock) Report() {
	if used := now() - c.start; used > 0 {
		c.b.ReportMetric(float64(used.Nanoseconds())/float64(c.b.N), "cpu-ns/op")
	}
}
