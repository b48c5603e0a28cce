package redis

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// rawIO reads and writes a plain TCP or Unix socket without telling Go's scheduler. The socket
// does not block, so that the calls are short, and to announce each of them costs more than it is
// worth: the first one after a pause of the process wakes the runtime's monitor, a thread that
// then looks for long calls every 20 us until the process pauses again. On a node that waits for
// one event after the other that is a tenth of its CPU time.
type rawIO struct {
	conn        net.Conn
	read, write rawCall
}

// rawCall is a system call that is repeated when the socket is ready.
type rawCall struct {
	wait    func(attempt func(fd uintptr) (done bool)) error // of the socket's syscall.RawConn
	attempt func(fd uintptr) (done bool)                     // made once

	mu struct {
		sync.Mutex
		b     []byte // what is to be written, or where to what is read
		n     int
		errno syscall.Errno
	}
}

// socketIO returns c, or its rawIO if it is a plain socket and not, for example, one with TLS.
func socketIO(c net.Conn) io.ReadWriter {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return c
	}
	raw, err := c.(syscall.Conn).SyscallConn() //nolint:errcheck,forcetypeassert // both types are one
	if err != nil {
		return c
	}
	r := &rawIO{conn: c}
	r.read.bind(syscall.SYS_READ, raw.Read)
	r.write.bind(syscall.SYS_WRITE, raw.Write)
	return r
}

// bind makes c the call with that number.
func (c *rawCall) bind(number uintptr, wait func(func(uintptr) bool) error) {
	c.wait = wait
	c.attempt = func(fd uintptr) bool {
		for {
			b := c.mu.b
			//nolint:gosec // see rawIO
			n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
			switch errno {
			case 0:
				c.mu.n = int(n)
				return true
			case syscall.EINTR:
			case syscall.EAGAIN:
				return false
			default:
				c.mu.errno = errno
				return true
			}
		}
	}
}

// do makes the call once with b. It returns how many bytes were read or written.
func (c *rawCall) do(b []byte) (n int, errno syscall.Errno, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.b, c.mu.n, c.mu.errno = b, 0, 0
	err = c.wait(c.attempt)
	c.mu.b = nil
	return c.mu.n, c.mu.errno, err
}

// Read is that of a net.Conn.
func (r *rawIO) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, errno, err := r.read.do(b)
	switch {
	case err != nil:
		return 0, err //nolint:wrapcheck // it says what is wrong
	case errno != 0:
		return 0, r.opError("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write is that of a net.Conn.
func (r *rawIO) Write(b []byte) (written int, err error) {
	for written < len(b) {
		n, errno, err := r.write.do(b[written:])
		written += n
		switch {
		case err != nil:
			return written, err //nolint:wrapcheck // it says what is wrong
		case errno != 0:
			return written, r.opError("write", errno)
		}
	}
	return written, nil
}

// opError returns what net.Conn returns for a call that has failed.
func (r *rawIO) opError(op string, errno syscall.Errno) error {
	a := r.conn.RemoteAddr()
	return &net.OpError{Op: op, Net: a.Network(), Source: r.conn.LocalAddr(), Addr: a, Err: os.NewSyscallError(op, errno)}
}
