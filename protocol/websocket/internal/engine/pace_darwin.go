package engine

import (
	"syscall"
	"unsafe"
)

const tcpNotSentLowat = 0x201 // TCP_NOTSENT_LOWAT

// poll calls poll(2) for one struct pollfd, without waiting.
func poll(p unsafe.Pointer) (n uintptr, err syscall.Errno) {
	//nolint:gosec // package syscall has no poll
	n, _, err = syscall.Syscall(syscall.SYS_POLL, uintptr(p), 1, 0)
	return n, err
}
