//go:build !linux

package redistest

import "syscall"

// endsWithParent leaves a process in the group of its parent: both get the interrupt of a
// terminal.
func endsWithParent() *syscall.SysProcAttr { return nil }
