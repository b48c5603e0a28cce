//go:build linux

package epoll

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Listen opens a non-blocking socket that listens on addr, an IPv4 address and
// port, and returns it and the address that it has got. The descriptor is -1
// on an error.
func Listen(addr string) (fd int, bound string, err error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return -1, "", err
	}
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, "", fmt.Errorf("socket: %w", err)
	}
	if bound, err = bind(fd, tcp); err != nil {
		return -1, "", errors.Join(fmt.Errorf("listen on %s: %w", addr, err), unix.Close(fd))
	}
	return fd, bound, nil
}

func bind(fd int, to *net.TCPAddr) (bound string, err error) {
	sa := &unix.SockaddrInet4{Port: to.Port}
	copy(sa.Addr[:], to.IP.To4())
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), // accepted sockets inherit it
		unix.Bind(fd, sa),
		unix.Listen(fd, unix.SOMAXCONN),
	)
	if err != nil {
		return "", err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return "", fmt.Errorf("getsockname: %w", err)
	}
	in4, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return "", errors.New("not IPv4")
	}
	return (&net.TCPAddr{IP: in4.Addr[:], Port: in4.Port}).String(), nil
}

// AcceptAll accepts what waits on the listening socket ln and gives each
// connection to take, whose first error ends it.
func AcceptAll(ln int, take func(fd int) error) error {
	for {
		fd, err := Accept(ln)
		switch {
		case errors.Is(err, ErrAgain):
			return nil
		case errors.Is(err, unix.ECONNABORTED):
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		if err := take(fd); err != nil {
			return err
		}
	}
}
