package load

import "time"

// Process is what a process has used so far, or between two points in time.
type Process struct {
	// CPU is user and system time.
	CPU time.Duration
	// Waiting is how long its threads were ready to run and had no core, in sum.
	Waiting time.Duration
	// RSS is its resident set, and Peak the largest that it has ever been, in
	// bytes. Of two points in time, they are those of the later.
	RSS, Peak int64

	usage usage
}

// Since returns what was used since an earlier reading.
func (p Process) Since(earlier Process) Process {
	p.usage = p.usage.since(earlier.usage)
	p.CPU, p.Waiting = p.usage.cpu, p.usage.waiting
	return p
}

// Plus returns what two processes have used together.
func (p Process) Plus(q Process) Process {
	p.usage.cpu += q.usage.cpu
	p.usage.waiting += q.usage.waiting
	p.usage.userTicks += q.usage.userTicks
	p.usage.sysTicks += q.usage.sysTicks
	p.CPU, p.Waiting = p.usage.cpu, p.usage.waiting
	p.RSS += q.RSS
	p.Peak += q.Peak
	return p
}

// User is the part of CPU that was spent outside of the kernel.
func (p Process) User() time.Duration { return time.Duration(p.usage.userShare() * float64(p.CPU)) }
