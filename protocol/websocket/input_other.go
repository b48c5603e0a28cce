//go:build !unix

package websocket

import "net"

// rawReader is for systems on which a socket can be waited for without a buffer.
type rawReader struct{}

func newRawReader(net.Conn, *input) *rawReader { return nil }

func (*rawReader) read() ([]byte, error) { return nil, nil }
