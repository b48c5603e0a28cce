//go:build !unix

package engine

import (
	"net"
	"syscall"
)

// plainSocket returns nil: this system has no way to wait for a socket without a buffer.
func plainSocket(net.Conn) syscall.RawConn { return nil }

func (*socketReader) tryRead(uintptr) bool { return true }
