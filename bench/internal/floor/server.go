//go:build linux

// Package floor is an echo server with nothing in it: one thread, one
// edge-triggered epoll instance, non-blocking sockets, no buffers held for idle
// connections. It speaks just enough WebSocket to be driven by the same load
// generator as a real server, and so shows what the kernel alone costs.
//
// It does not check UTF-8, reserved bits, fragment order or origins, has no
// timers, no limits worth the name and no second core. Its figures are a lower
// bound to compare with, not a server to use.
package floor

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wye-go/wye/bench/internal/epoll"
)

const (
	batch   = 256     // events per turn of the loop
	bufSize = 1 << 18 // one read; holds the longest frame with room to spare
	forever = time.Hour
)

// Server is one loop and what it serves. Its methods are for one goroutine.
type Server struct {
	ln, wake int // the listening socket, and an eventfd that ends Serve
	raw      bool
	addr     string
	poll     *epoll.Poller
	conns    []*conn // indexed by descriptor
	rooms    map[string]*room
	dirty    []*conn // members with bytes to write at the end of the turn
	buf      []byte  // what the connection at hand has sent
	answer   []byte  // the answer to its handshake
}

// Addr returns the address the server listens on.
func (s *Server) Addr() string { return s.addr }

// Serve runs the loop until ctx is done, which is no error, or until the loop
// itself fails. What a connection does wrong closes that connection only.
func (s *Server) Serve(ctx context.Context) error {
	one := []byte{1, 0, 0, 0, 0, 0, 0, 0}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_, _ = unix.Write(s.wake, one) //nolint:errcheck // the counter is zero, so there is room
	})
	defer func() {
		if !stop() {
			<-woken // so that Close does not take the descriptor from under it
		}
	}()
	for {
		events, err := s.poll.Wait(forever)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if int(ev.Fd) == s.wake {
				if ctx.Err() != nil {
					return nil
				}
				continue // the event that registering it for writing causes
			}
			if err := s.dispatch(int(ev.Fd), ev.Events); err != nil {
				return err
			}
		}
		s.flushRooms()
	}
}

func (s *Server) dispatch(fd int, events uint32) error {
	if fd == s.ln {
		return s.accept()
	}
	c := s.conns[fd]
	if c == nil {
		return nil // closed earlier in this turn
	}
	var err error
	if events&epoll.Out != 0 && len(c.out) > 0 && !c.dirty {
		err = c.flush()
	}
	if err == nil && events&epoll.In != 0 {
		err = s.readable(c)
	}
	if err != nil {
		s.drop(c)
	}
	return nil
}

func (s *Server) accept() error {
	return epoll.AcceptAll(s.ln, func(fd int) error {
		for fd >= len(s.conns) {
			s.conns = append(s.conns, nil)
		}
		s.conns[fd] = &conn{fd: fd, open: s.raw}
		return s.poll.Add(fd)
	})
}

// drop closes the connection and forgets it.
func (s *Server) drop(c *conn) {
	s.conns[c.fd] = nil
	s.leave(c)
	_ = unix.Close(c.fd) //nolint:errcheck // nothing is left to be done about it
	c.fd = -1
}

// Close closes every descriptor. Serve must have returned.
func (s *Server) Close() error {
	var errs []error
	for _, c := range s.conns {
		if c != nil {
			s.drop(c)
		}
	}
	for _, fd := range []int{s.ln, s.wake} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	if s.poll != nil {
		errs = append(errs, s.poll.Close())
	}
	s.ln, s.wake, s.poll = -1, -1, nil
	return errors.Join(errs...)
}
