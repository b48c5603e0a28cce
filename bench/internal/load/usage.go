package load

import "time"

// usage is what a process has used so far, or between two points in time.
type usage struct {
	cpu, waiting        time.Duration
	userTicks, sysTicks int64
}

// since returns what was used between an earlier reading and this one.
func (u usage) since(v usage) usage {
	return usage{
		cpu: u.cpu - v.cpu, waiting: u.waiting - v.waiting,
		userTicks: u.userTicks - v.userTicks, sysTicks: u.sysTicks - v.sysTicks,
	}
}

// userShare returns the share of CPU time spent outside of the kernel.
func (u usage) userShare() float64 {
	if u.userTicks+u.sysTicks == 0 {
		return 0
	}
	return float64(u.userTicks) / float64(u.userTicks+u.sysTicks)
}
