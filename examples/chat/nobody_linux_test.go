package main

import (
	"os"
	"runtime"
	"syscall"
)

// asNobody calls f with no more rights to files than anybody has. Root has all.
func asNobody(f func() error) error {
	if os.Getuid() != 0 {
		return f()
	}
	const nobody = 65534
	runtime.LockOSThread() // who one is, each thread knows for itself
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		return err
	}
	defer syscall.Setfsuid(0) //nolint:errcheck // whoever could become nobody can go back
	return f()
}
