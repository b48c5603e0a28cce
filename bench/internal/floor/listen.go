//go:build linux

package floor

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/wye-go/wye/bench/internal/epoll"
)

// Listen opens a server on addr, an IPv4 address and port. With raw it echoes
// bytes and knows no protocol at all.
func Listen(addr string, raw bool) (*Server, error) {
	s := &Server{ln: -1, wake: -1, raw: raw, rooms: map[string]*room{}, buf: make([]byte, bufSize)}
	if err := s.open(addr); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(addr string) (err error) {
	if s.poll, err = epoll.New(batch); err != nil {
		return err
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	if s.ln, s.addr, err = epoll.Listen(addr); err != nil {
		return err
	}
	return errors.Join(s.poll.Add(s.ln), s.poll.Add(s.wake))
}
