package redistest

import "syscall"

// endsWithParent makes a process end with the thread that starts it. In a group of its own,
// it does not get the interrupt of a terminal before its parent.
func endsWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
