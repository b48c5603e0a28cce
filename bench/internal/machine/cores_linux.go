package machine

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// TwoCores returns the first and the last core this process may use.
func TwoCores() (CPUs, error) {
	all := AllCores()
	if len(all) < 2 {
		return CPUs{}, errors.New("one core is not enough for the server and the load generator; see -pin")
	}
	return CPUs{Server: all[:1], Load: all[len(all)-1:]}, nil
}

// MaxDescriptors is how many files a process may have open at a time.
func MaxDescriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Max > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Max)
}

// Pin binds a process that runs to some cores. None means that it stays where it is.
func Pin(pid int, to []int) error {
	if len(to) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, cpu := range to {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(pid, &set); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return nil
}

// AllCores returns the cores that this process may use, or none if they are not known.
func AllCores() (all []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	return all
}
