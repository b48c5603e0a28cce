package versus

import (
	"testing"
	"time"
)

// cpu measures what the process uses, its collector and the client included. It
// counts nothing of what others do to the machine, and all of what goes on beside
// the goroutine that is timed.
type cpu struct {
	b     *testing.B
	start time.Duration
}

func startCPU(b *testing.B) cpu { //nolint:thelper // no helper: it begins what is measured
	return cpu{b, cpuTime()}
}

func (c cpu) report() {
	if used := cpuTime() - c.start; used > 0 {
		c.b.ReportMetric(float64(used.Nanoseconds())/float64(c.b.N), "cpu-ns/op")
	}
}
