//go:build !unix

package engine

import (
	"net"
	"syscall"
)

// plainSocket returns nil: this system has no way to wait for a socket without a buffer.
func plainSocket(net.Conn) syscall.RawConn { return nil }

func readNow(uintptr, []byte) (n int, again bool, err error) { return 0, false, nil }
