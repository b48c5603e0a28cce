//go:build unix

package websocket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// rawReader reads from a plain socket, as net.Conn.Read does, but takes its buffer
// only when there is something to read.
type rawReader struct {
	in  *input
	raw syscall.RawConn
	try func(fd uintptr) bool // attempt, bound once
	n   int
	err error
}

// newRawReader returns nil for what is no plain socket: a wrapper has its own way
// to read.
func newRawReader(nc net.Conn, in *input) *rawReader {
	var raw syscall.RawConn
	var err error
	switch nc := nc.(type) {
	case *net.TCPConn:
		raw, err = nc.SyscallConn()
	case *net.UnixConn:
		raw, err = nc.SyscallConn()
	}
	if raw == nil || err != nil {
		return nil
	}
	r := &rawReader{in: in, raw: raw}
	r.try = r.attempt
	return r
}

func (r *rawReader) read() ([]byte, error) {
	if err := r.raw.Read(r.try); err != nil {
		return nil, err //nolint:wrapcheck // it becomes the cause of the end as it is
	}
	return (*r.in.b)[:r.n], r.err
}

// attempt reads if there is something to read. Otherwise it is called again when
// there may be.
func (r *rawReader) attempt(fd uintptr) bool {
	r.in.take()
	for {
		n, err := syscall.Read(int(fd), *r.in.b)
		switch {
		case err == nil && n > 0:
			r.n, r.err = n, nil
		case err == nil:
			r.n, r.err = 0, io.EOF
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			r.in.put()
			return false
		default:
			r.n, r.err = 0, os.NewSyscallError("read", err)
		}
		return true
	}
}
