package main

import (
	"os"
	"runtime"
	"syscall"
)

// asNobody calls f with the file permissions of the user nobody, if the tests run as
// root.
func asNobody(f func() error) error {
	if os.Getuid() != 0 {
		return f()
	}
	const nobody = 65534
	runtime.LockOSThread() // setfsuid changes the calling thread only
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		return err
	}
	defer syscall.Setfsuid(0) //nolint:errcheck // root may always go back
	return f()
}
