package engine

import (
	"syscall"
	"unsafe"
)

const tcpNotSentLowat = 25 // TCP_NOTSENT_LOWAT

// poll calls poll(2) for one struct pollfd, without waiting.
func poll(p unsafe.Pointer) (n uintptr, err syscall.Errno) {
	var noTime syscall.Timespec
	//nolint:gosec // package syscall has no poll
	n, _, err = syscall.Syscall6(syscall.SYS_PPOLL, uintptr(p), 1, uintptr(unsafe.Pointer(&noTime)), 0, 0, 0)
	return n, err
}
