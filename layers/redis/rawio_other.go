//go:build !linux

package redis

import (
	"io"
	"net"
)

// socketIO returns c: see rawio_linux.go.
func socketIO(c net.Conn) io.ReadWriter { return c }
