package main

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// cpus is where the programs run; none means anywhere.
type cpus struct{ server, load []int }

// twoCPUs returns the first and the last core this process may use.
func twoCPUs() (cpus, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return cpus{}, fmt.Errorf("sched_getaffinity: %w", err)
	}
	var all []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	if len(all) < 2 {
		return cpus{}, errors.New("one core is not enough for the server and the load generator; see -pin")
	}
	return cpus{server: all[:1], load: all[len(all)-1:]}, nil
}

// maxDescriptors is how many files a process may have open at a time.
func maxDescriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Max > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Max)
}
