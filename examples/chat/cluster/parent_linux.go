package main

import "syscall"

// endWithParent has the system kill the process when the thread that starts it ends.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
