//go:build !linux

package main

import (
	"errors"
	"math"
)

// cpus is where the programs run; none means anywhere.
type cpus struct{ server, load []int }

func twoCPUs() (cpus, error) {
	return cpus{}, errors.New("pinning to cores needs Linux, as do the floor and the load generator")
}

func maxDescriptors() int { return math.MaxInt32 }
