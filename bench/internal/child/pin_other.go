//go:build !linux

package child

// Pinned calls start. Only on Linux can it bind anything to cores.
func Pinned(start func() error, _ []int) error { return start() }
