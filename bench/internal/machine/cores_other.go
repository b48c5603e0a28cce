//go:build !linux

package machine

import (
	"errors"
	"math"
)

// TwoCores needs Linux.
func TwoCores() (CPUs, error) {
	return CPUs{}, errors.New("pinning to cores needs Linux, as do the floor and the load generator")
}

// MaxDescriptors is not known here.
func MaxDescriptors() int { return math.MaxInt32 }

// Pin does nothing: only on Linux can it bind anything to cores.
func Pin(int, []int) error { return nil }

// AllCores is not known here.
func AllCores() []int { return nil }
