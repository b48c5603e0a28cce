package engine

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// loopsWork reports whether this system has loops.
const loopsWork = true

// epoll is a kernel with an epoll instance. A loop that sleeps must not hold a thread, so
// it waits in Go's own poller: for outer, an epoll instance that contains the loop's one.
// outer is armed only for a sleep. Otherwise each event would wake a thread that waits in
// Go's poller while the loop runs.
//
// Calls that never wait are made without telling Go's scheduler, which costs as much as
// a short call itself.
type epoll struct {
	inner   int
	outer   *os.File
	outerFD int
	raw     syscall.RawConn // of outer
	eventFD int             // in inner: wake writes to it

	attempt func(fd uintptr) bool // poll into events, bound once
	events  []change
	n       int
	buf     []syscall.EpollEvent
	vector  []syscall.Iovec
}

const (
	wakeKey = ^uint64(0) // of eventFD
	edge    = 1 << 31    // EPOLLET, which package syscall has as a negative number
)

func newKernel() (kernel, error) {
	e := &epoll{inner: -1, outerFD: -1, eventFD: -1}
	if err := e.open(); err != nil {
		e.closeAll()
		return nil, fmt.Errorf("wye: no event loop: %w", err)
	}
	return e, nil
}

func (e *epoll) open() (err error) {
	if e.inner, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if e.outerFD, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	fd, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return os.NewSyscallError("eventfd2", errno)
	}
	e.eventFD = int(fd)
	if err := e.control(e.inner, syscall.EPOLL_CTL_ADD, e.eventFD, syscall.EPOLLIN|edge, wakeKey); err != nil {
		return err
	}
	if err := e.control(e.outerFD, syscall.EPOLL_CTL_ADD, e.inner, syscall.EPOLLONESHOT, 0); err != nil {
		return err
	}
	if err := syscall.SetNonblock(e.outerFD, true); err != nil { // so that os.NewFile uses Go's poller
		return os.NewSyscallError("fcntl", err)
	}
	e.outer = os.NewFile(uintptr(e.outerFD), "epoll")
	if e.raw, err = e.outer.SyscallConn(); err != nil {
		return err //nolint:wrapcheck // newKernel does
	}
	e.attempt = func(uintptr) bool {
		e.n = e.poll(e.events)
		return e.n > 0
	}
	return nil
}

func (e *epoll) control(epfd, op, fd int, events uint32, key uint64) error {
	ev := syscall.EpollEvent{Events: events}
	*(*uint64)(unsafe.Pointer(&ev.Fd)) = key //nolint:gosec // the kernel's epoll_data, which package syscall has in two halves
	if err := syscall.EpollCtl(epfd, op, fd, &ev); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

func (e *epoll) take(nc net.Conn) (fd int, err error) {
	raw := plainSocket(nc)
	if raw == nil {
		return -1, net.ErrClosed
	}
	errno := syscall.EINVAL
	err = raw.Control(func(old uintptr) {
		var n uintptr
		if n, _, errno = syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0); errno == 0 {
			fd = int(n)
		}
	})
	switch {
	case err != nil:
		return -1, err //nolint:wrapcheck // it says what is wrong
	case errno != 0:
		return -1, os.NewSyscallError("fcntl", errno)
	}
	_ = nc.Close() //nolint:errcheck // the socket stays open; this takes it out of Go's poller
	return fd, nil
}

func (e *epoll) add(fd int, key uint64) error {
	return e.control(e.inner, syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLIN|syscall.EPOLLOUT|syscall.EPOLLRDHUP|edge, key)
}

func (e *epoll) poll(events []change) (n int) {
	if len(e.buf) < len(events) {
		e.buf = make([]syscall.EpollEvent, len(events))
	}
	//nolint:gosec // package syscall's own would tell the scheduler
	got, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT,
		uintptr(e.inner), uintptr(unsafe.Pointer(&e.buf[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	for i := range e.buf[:got] {
		ev := &e.buf[i]
		key := *(*uint64)(unsafe.Pointer(&ev.Fd)) //nolint:gosec // as in control
		if key == wakeKey {
			e.takeWake()
		}
		events[i] = change{key, changesOf(ev.Events)}
	}
	return int(got)
}

// takeWake empties eventFD, so that the next wake is a change.
func (e *epoll) takeWake() {
	var count [8]byte
	_, _ = rawRead(e.eventFD, count[:]) //nolint:errcheck // it may be empty
}

func changesOf(events uint32) (c changes) {
	if events&syscall.EPOLLIN != 0 {
		c |= nowReadable
	}
	if events&syscall.EPOLLOUT != 0 {
		c |= nowWritable
	}
	if events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		c |= nowHungUp
	}
	return c
}

func (e *epoll) sleep(events []change) int {
	if e.control(e.outerFD, syscall.EPOLL_CTL_MOD, e.inner, syscall.EPOLLIN|syscall.EPOLLONESHOT, 0) != nil {
		return e.poll(events)
	}
	e.events, e.n = events, 0
	if e.raw.Read(e.attempt) != nil {
		return e.poll(events)
	}
	e.disarm()
	return e.n
}

// disarm takes the one event of outer.
func (e *epoll) disarm() {
	var one [1]syscall.EpollEvent
	//nolint:errcheck,gosec,dogsled // there may be none
	_, _, _ = syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(e.outerFD), uintptr(unsafe.Pointer(&one[0])), 1, 0, 0, 0)
}

func (e *epoll) wake() {
	one := [8]byte{1}                  // in the byte order of the machine, any of the eight may be it
	_, _ = rawWrite(e.eventFD, one[:]) //nolint:errcheck // if it is full, the loop wakes as well
}

func rawRead(fd int, b []byte) (n int, errno syscall.Errno) {
	//nolint:gosec // see epoll
	r, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(r), errno
}

func rawWrite(fd int, b []byte) (n int, errno syscall.Errno) {
	//nolint:gosec // see epoll
	r, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(r), errno
}

func (e *epoll) read(fd int, b []byte) (int, error) {
	for {
		n, errno := rawRead(fd, b)
		switch errno {
		case 0:
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("read", errno)
		}
	}
}

func (e *epoll) write(fd int, pieces [][]byte, size int) (int, error) {
	if all := gather(pieces, size); all != nil {
		defer all.Release()
		return e.writeOne(fd, all.B)
	}
	if len(pieces) == 1 {
		return e.writeOne(fd, pieces[0])
	}
	return e.writeVector(fd, pieces)
}

func (e *epoll) writeOne(fd int, b []byte) (int, error) {
	for {
		n, errno := rawWrite(fd, b)
		if errno != syscall.EINTR {
			return writeResult(n, errno)
		}
	}
}

// writeVector writes up to as many pieces as the kernel takes at once.
func (e *epoll) writeVector(fd int, pieces [][]byte) (int, error) {
	const most = 1024 // IOV_MAX
	v := e.vector[:0]
	for _, p := range pieces[:min(len(pieces), most)] {
		if len(p) > 0 {
			iov := syscall.Iovec{Base: &p[0]}
			iov.SetLen(len(p))
			v = append(v, iov)
		}
	}
	defer clear(v)
	e.vector = v
	for {
		//nolint:gosec // see epoll
		r, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)))
		if errno != syscall.EINTR {
			return writeResult(int(r), errno)
		}
	}
}

func writeResult(n int, errno syscall.Errno) (int, error) {
	if errno == syscall.EAGAIN {
		return 0, nil
	}
	if errno != 0 {
		return 0, os.NewSyscallError("write", errno)
	}
	return n, nil
}

func (e *epoll) limitUnsent(fd int) { _ = limitUnsent(uintptr(fd), unsentLow) } //nolint:errcheck // without it, more waits in the kernel

func (e *epoll) isWritable(fd int) bool { return isWritable(uintptr(fd)) }

// Errors of the calls below are ignored: a broken socket shows when it is read or written.

func (e *epoll) shutWrite(fd int) { _ = syscall.Shutdown(fd, syscall.SHUT_WR) } //nolint:errcheck // see above

func (e *epoll) close(fd int) { _ = syscall.Close(fd) } //nolint:errcheck // see above

func (e *epoll) stop() { e.closeAll() }

func (e *epoll) closeAll() {
	if e.outer != nil {
		_ = e.outer.Close() //nolint:errcheck // it has no data
	} else if e.outerFD >= 0 {
		e.close(e.outerFD)
	}
	for _, fd := range []int{e.inner, e.eventFD} {
		if fd >= 0 {
			e.close(fd)
		}
	}
}
