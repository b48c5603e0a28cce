//go:build linux

// Package spike runs protocol.Session under an inline event loop: one thread,
// edge-triggered epoll, callbacks on the spot, one write for each readable
// event. It is package floor with Wye's session, consumer and layer in it, and
// so shows what these add to what the kernel costs.
//
// It is an experiment and not an engine: a callback that blocks stops the
// connections of everybody, sends must come from callbacks, and it checks of
// RFC 6455 only what it needs to find the end of a frame.
package spike

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wye-go/wye/bench/internal/epoll"
	"github.com/wye-go/wye/protocol"
)

const (
	batch   = 256     // events per turn of the loop
	bufSize = 1 << 18 // one read; holds the longest frame with room to spare
	turn    = 100 * time.Millisecond
)

// Loop serves the connections of one application. Its methods are for one
// goroutine.
type Loop struct {
	app     protocol.Application
	options protocol.SessionOptions
	ln      int
	poll    *epoll.Poller
	conns   []*conn // indexed by descriptor
	dirty   []*conn // with bytes to write at the end of the turn
	due     []*conn // whose sessions have scheduled callbacks
	buf     []byte  // what the connection at hand has sent
	scratch []byte  // replies of the event at hand
}

// New returns a loop for app that listens nowhere yet.
func New(app protocol.Application) *Loop {
	return &Loop{
		app:     app,
		options: protocol.SessionOptions{Limits: protocol.Limits{}.WithDefaults()},
		buf:     make([]byte, bufSize),
	}
}

// Serve serves the listening socket ln, which must be non-blocking, until ctx
// ends, and closes everything.
func (l *Loop) Serve(ctx context.Context, ln int) error {
	poll, err := epoll.New(batch)
	if err != nil {
		return fmt.Errorf("spike: %w", err)
	}
	l.ln, l.poll = ln, poll
	defer l.close()
	if err := poll.Add(ln); err != nil {
		return fmt.Errorf("spike: %w", err)
	}
	for ctx.Err() == nil {
		events, err := poll.Wait(turn)
		if err != nil {
			return fmt.Errorf("spike: %w", err)
		}
		for _, ev := range events {
			if err := l.dispatch(int(ev.Fd), ev.Events); err != nil {
				return err
			}
		}
		l.endTurn()
	}
	return nil
}

func (l *Loop) dispatch(fd int, events uint32) error {
	if fd == l.ln {
		return l.accept()
	}
	c := l.conns[fd]
	if c == nil {
		return nil // closed earlier in this turn
	}
	var err error
	if events&epoll.Out != 0 && len(c.out) > 0 && !c.dirty {
		err = c.flush()
	}
	if err == nil && events&epoll.In != 0 {
		err = l.readable(c)
	}
	if err != nil {
		l.drop(c)
	}
	return nil
}

// readable takes in what the socket has, and writes the replies at once. While
// it does, they are gathered in a buffer that all connections share.
func (l *Loop) readable(c *conn) error {
	c.dirty = true // it is flushed here
	borrowed := len(c.out) == 0
	if borrowed {
		c.out = l.scratch[:0]
	}
	err := l.readAll(c)
	c.dirty = false
	if len(c.out) > 0 {
		err = errors.Join(err, c.flush())
	}
	if borrowed {
		l.scratch = c.out[:0]
		c.out = bytes.Clone(c.out) // nil, unless the socket did not take all
	}
	return err
}

func (l *Loop) readAll(c *conn) error {
	for {
		had := copy(l.buf, c.part)
		n, err := epoll.Read(c.fd, l.buf[had:])
		if errors.Is(err, epoll.ErrAgain) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if n == 0 {
			return errEnd
		}
		rest, err := c.consume(l.buf[:had+n])
		if err != nil {
			return err
		}
		c.part = append(c.part[:0], rest...)
		if had+n < len(l.buf) {
			return nil
		}
	}
}

// endTurn runs what sessions have scheduled, and writes once to every
// connection that was sent to by another one.
func (l *Loop) endTurn() {
	for i := 0; i < len(l.due); i++ { // callbacks may schedule more
		l.due[i].session.Run(0)
		l.due[i] = nil
	}
	l.due = l.due[:0]
	for i, c := range l.dirty {
		l.dirty[i], c.dirty = nil, false
		if c.fd >= 0 && c.flush() != nil {
			l.drop(c)
		}
	}
	l.dirty = l.dirty[:0]
}

func (l *Loop) accept() error {
	err := epoll.AcceptAll(l.ln, func(fd int) error {
		for fd >= len(l.conns) {
			l.conns = append(l.conns, nil)
		}
		l.conns[fd] = &conn{loop: l, fd: fd}
		return l.poll.Add(fd)
	})
	if err != nil {
		return fmt.Errorf("spike: %w", err)
	}
	return nil
}

// open starts the session of a connection whose request has come.
func (c *conn) open(r *http.Request) {
	r.RemoteAddr = fmt.Sprint("fd ", c.fd)
	c.session = protocol.NewSession(context.Background(), c.loop.app, protocol.NewScope("websocket", r), c, &c.loop.options)
	c.session.Open()
}

// drop closes the connection and forgets it.
func (l *Loop) drop(c *conn) {
	if c.session != nil {
		c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	}
	l.conns[c.fd] = nil
	_ = unix.Close(c.fd) //nolint:errcheck // nobody is left to tell
	c.fd = -1
}

// close ends every connection, and runs what that leaves to do.
func (l *Loop) close() {
	for _, c := range l.conns {
		if c != nil {
			l.drop(c)
		}
	}
	l.endTurn()
	_ = unix.Close(l.ln) //nolint:errcheck // nothing more is accepted
	_ = l.poll.Close()
}

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
