package router

import (
	"context"
	"net"
	"syscall"
)

// How long an idle TCP connection lasts if its peer is gone. These are the defaults of
// package net.
const (
	keepAliveIdle     = 15 // seconds
	keepAliveInterval = 15
	keepAliveCount    = 9
)

// listen is net.Listen. On Linux, accepted sockets inherit the keep-alive options of the
// listening one, so that package net need not set them with four system calls for each
// connection.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	var errno error
	config := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) { errno = setKeepAlive(int(fd)) })
		if err != nil {
			return err //nolint:wrapcheck // it is an error of the system
		}
		return errno
	}}
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil { // it may be that of an option, which sockets of MPTCP lack in old kernels
		return (&net.ListenConfig{}).Listen(ctx, "tcp", addr) //nolint:wrapcheck // Run does
	}
	return l, nil
}

func setKeepAlive(fd int) error {
	for _, o := range [...]struct{ level, option, value int }{
		{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, keepAliveIdle},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, keepAliveInterval},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, keepAliveCount},
	} {
		if err := syscall.SetsockoptInt(fd, o.level, o.option, o.value); err != nil {
			return err //nolint:wrapcheck // it is an error of the system
		}
	}
	return nil
}
