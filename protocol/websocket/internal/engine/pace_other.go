//go:build !linux && !darwin

package engine

import "syscall"

// limitUnsent says that there is no way here.
func limitUnsent(uintptr, int) syscall.Errno { return syscall.EINVAL }

func isWritable(uintptr) bool { return true }
