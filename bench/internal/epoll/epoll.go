//go:build linux

// Package epoll is the thin edge-triggered poller under the floor and the load
// generator, with raw reads and writes that never leave their P.
//
// Raw means that Go's scheduler is not told: entering and leaving a system call
// costs it 50 to 100 ns, and several microseconds if the call blocks, which on a
// 64-byte echo is a visible share of what the benchmark is about. It is sound
// here because every descriptor is non-blocking, and because the one raw call
// that waits does so for 10 ms at most. The price is that other goroutines and
// the garbage collector may be held up for as long.
package epoll

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// In is set when a read will tell something, be it bytes, the end or an error;
// End when the last of it is the end; Out when a descriptor that took no more
// bytes takes them again.
const (
	In  = unix.EPOLLIN | End
	End = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	Out = unix.EPOLLOUT
)

// nap is for how many milliseconds Wait keeps the scheduler in the dark.
const nap = 10

// ErrAgain is returned by Read and Write when the descriptor is not ready.
var ErrAgain = errors.New("descriptor not ready")

// Poller is one epoll instance, for use by one goroutine.
type Poller struct {
	fd     int
	events []unix.EpollEvent
}

// New returns a poller that reports at most batch descriptors per Wait.
func New(batch int) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	return &Poller{fd: fd, events: make([]unix.EpollEvent, batch)}, nil
}

// Add registers fd, edge-triggered, for reading and writing.
func (p *Poller) Add(fd int) error {
	ev := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     int32(fd),
	}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// Wait returns the ready descriptors, none after timeout or a signal. The slice
// is valid until the next Wait.
func (p *Poller) Wait(timeout time.Duration) ([]unix.EpollEvent, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), nap, 0, 0)
	if errno == 0 && n > 0 {
		return p.events[:n], nil
	}
	// Nothing to do: let the rest of the program have this thread's place.
	ready, err := unix.EpollWait(p.fd, p.events, int(timeout.Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("epoll_wait: %w", err)
	}
	return p.events[:ready], nil
}

// WaitFor is Wait with a timeout to the microsecond, which must be short: the scheduler
// is kept in the dark all the time. It needs Linux 5.11.
func (p *Poller) WaitFor(timeout time.Duration) ([]unix.EpollEvent, error) {
	ts := unix.NsecToTimespec(max(int64(timeout), 0))
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0:
		return p.events[:n], nil
	case unix.EINTR:
		return nil, nil
	default:
		return nil, fmt.Errorf("epoll_pwait2: %w", errno)
	}
}

// Close closes the epoll descriptor, not those registered with it.
func (p *Poller) Close() error { return unix.Close(p.fd) }

// Read reads once from the non-blocking fd. Zero bytes and no error is the end
// of the stream.
func Read(fd int, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return call(unix.SYS_READ, fd, unsafe.Pointer(&b[0]), len(b))
}

// Write writes once to the non-blocking fd.
func Write(fd int, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return call(unix.SYS_WRITE, fd, unsafe.Pointer(&b[0]), len(b))
}

// Accept accepts one connection, non-blocking, and does not ask whose it is.
func Accept(ln int) (int, error) {
	return call(unix.SYS_ACCEPT4, ln, nil, 0)
}

// call makes a system call again if a signal has interrupted it. The flags are
// for accept4; read and write have no fourth argument.
func call(trap uintptr, fd int, p unsafe.Pointer, n int) (int, error) {
	const flags = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	for {
		r, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(p), uintptr(n), flags, 0, 0)
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, ErrAgain
		default:
			return 0, errno
		}
	}
}
