//go:build linux || darwin

package engine

import (
	"errors"
	"syscall"
	"unsafe"
)

// pollFD is struct pollfd.
type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

const pollOut = 4 // POLLOUT

// limitUnsent makes the kernel report the socket as writable only while it has fewer unsent
// bytes than half of n.
func limitUnsent(fd uintptr, n int) syscall.Errno {
	err := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, n)
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return 0
}

// isWritable reports whether the socket is writable, or broken, which the next write shows.
// poll(2) also makes the kernel wake Go's poller when that changes; a count of the unsent
// bytes would not.
func isWritable(fd uintptr) bool {
	p := pollFD{fd: int32(fd), events: pollOut} //nolint:gosec // descriptors are small
	n, err := poll(unsafe.Pointer(&p))          //nolint:gosec // package syscall has no poll
	return n > 0 || err != 0
}
