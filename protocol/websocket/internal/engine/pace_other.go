//go:build !linux && !darwin

package engine

import "syscall"

// limitUnsent fails: this platform has no such option.
func limitUnsent(uintptr, int) syscall.Errno { return syscall.EINVAL }

func isWritable(uintptr) bool { return true }
