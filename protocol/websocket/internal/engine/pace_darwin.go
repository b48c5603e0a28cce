package engine

import (
	"syscall"
	"unsafe"
)

const tcpNotSentLowat = 0x201 // TCP_NOTSENT_LOWAT

// poll asks without waiting.
func poll(p *pollFD) (n uintptr, err syscall.Errno) {
	//nolint:gosec // package syscall has no poll
	n, _, err = syscall.Syscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(p)), 1, 0)
	return n, err
}
