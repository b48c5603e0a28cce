package engine

import (
	"syscall"
	"unsafe"
)

const tcpNotSentLowat = 25 // TCP_NOTSENT_LOWAT

// poll asks without waiting.
func poll(p *pollFD) (n uintptr, err syscall.Errno) {
	var noTime syscall.Timespec
	//nolint:gosec // package syscall has no poll
	n, _, err = syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(p)), 1, uintptr(unsafe.Pointer(&noTime)), 0, 0, 0)
	return n, err
}
