//go:build unix

package node

import "syscall"

// used returns the CPU time of this process in nanoseconds.
func used() (user, system int64) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, 0
	}
	return u.Utime.Nano(), u.Stime.Nano()
}
