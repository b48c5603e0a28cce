//go:build unix

package engine

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// plainSocket returns the socket of nc if nc is nothing else. A wrapper has its own way
// to read.
func plainSocket(nc net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	var err error
	switch nc := nc.(type) {
	case *net.TCPConn:
		raw, err = nc.SyscallConn()
	case *net.UnixConn:
		raw, err = nc.SyscallConn()
	}
	if err != nil {
		return nil
	}
	return raw
}

// tryRead reads as net.Conn.Read does, if there are bytes to read. If there are none, it
// returns false without a buffer, and is called again when there may be some.
func (r *socketReader) tryRead(fd uintptr) (done bool) {
	r.acquireBuffer()
	for {
		n, err := syscall.Read(int(fd), *r.buffer)
		switch {
		case err == nil && n > 0:
			r.n, r.err = n, nil
		case err == nil:
			r.n, r.err = 0, io.EOF
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			r.releaseBuffer()
			return false
		default:
			r.n, r.err = 0, os.NewSyscallError("read", err)
		}
		return true
	}
}
