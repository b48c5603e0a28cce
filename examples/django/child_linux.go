package main

import (
	"os/exec"
	"syscall"
)

// endWithParent has the system end the process when this program ends, even if it is killed.
// The process is in a group of its own, so that Ctrl-C in a terminal reaches only this
// program, which ends the others in order.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
