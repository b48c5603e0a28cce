package enginetest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// NewPair returns the two ends of a connection without a network. It is like net.Pipe: a
// write waits until the other end has read it, and all of it works in a bubble of
// testing/synctest. In contrast to a net.Pipe it has halves that close by themselves, and
// an event loop can run an end of it: it is an engine.Socket.
func NewPair() (client, server *End) {
	there, back := newStream(), newStream()
	return newEnd(back, there), newEnd(there, back)
}

// End is one end of a connection.
type End struct {
	in, out *stream
	once    sync.Once
	closed  chan struct{}
}

func newEnd(in, out *stream) *End { return &End{in: in, out: out, closed: make(chan struct{})} }

// Closed is closed when Close was called.
func (e *End) Closed() <-chan struct{} { return e.closed }

// Read implements net.Conn.
func (e *End) Read(b []byte) (int, error) { return e.in.read(b) }

// Write implements net.Conn.
func (e *End) Write(b []byte) (int, error) { return e.out.write(b) }

// CloseWrite has the other end read the end of the stream.
func (e *End) CloseWrite() error {
	e.out.change(func(s *state) { s.writerGone = true; s.offer() })
	return nil
}

// Close implements net.Conn.
func (e *End) Close() error {
	e.once.Do(func() { close(e.closed) })
	e.out.change(func(s *state) { s.writerGone = true; s.offer() })
	e.in.change(func(s *state) { s.readerGone = true; s.want() })
	return nil
}

// TryRead is Read, but does not wait.
func (e *End) TryRead(b []byte) (n int, err error) {
	e.in.change(func(s *state) { n, err = s.take(b) })
	return n, err
}

// TryWrite is Write, but writes only what the other end waits for.
func (e *End) TryWrite(b []byte) (n int, err error) {
	e.out.change(func(s *state) {
		if s.writerGone || s.readerGone {
			err = io.ErrClosedPipe
			return
		}
		n = copy(s.wanted[min(s.got, len(s.wanted)):], b)
		s.got += n
	})
	return n, err
}

// Writable reports whether TryWrite would write anything.
func (e *End) Writable() bool {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	return e.out.mu.state.writable()
}

// Watch has report called for each change from now on, and at once for what is true. It
// is called with a lock held, and must not call e.
func (e *End) Watch(report func(readable, writable, hungUp bool)) {
	e.in.change(func(s *state) { s.watchRead = report; s.offer() })
	e.out.change(func(s *state) { s.watchWrite = report; s.want() })
}

// LocalAddr returns an address like that of a net.Pipe.
func (e *End) LocalAddr() net.Addr { return address{} }

// RemoteAddr returns an address like that of a net.Pipe.
func (e *End) RemoteAddr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "pipe" }
func (address) String() string  { return "pipe" }

// SetDeadline implements net.Conn.
func (e *End) SetDeadline(t time.Time) error {
	return errors.Join(e.SetReadDeadline(t), e.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (e *End) SetReadDeadline(t time.Time) error {
	e.in.change(func(s *state) { s.readUntil = t })
	return nil
}

// SetWriteDeadline implements net.Conn.
func (e *End) SetWriteDeadline(t time.Time) error {
	e.out.change(func(s *state) { s.writeUntil = t })
	return nil
}

// stream is one direction.
type stream struct {
	writing sync.Mutex // held by a Write; a bubble does not take a wait for it as durable
	mu      struct {
		sync.Mutex
		state   state
		changed chan struct{} // closed, and replaced, at each change
	}
}

// state is what a stream knows.
type state struct {
	offered []byte // by a Write that waits
	wanted  []byte // by a Read that waits: its buffer
	got     int    // bytes of wanted that are filled

	writerGone, readerGone bool
	readUntil, writeUntil  time.Time
	watchRead, watchWrite  func(readable, writable, hungUp bool)
}

func newStream() *stream {
	s := &stream{}
	s.mu.changed = make(chan struct{})
	return s
}

func (s *state) readable() bool { return len(s.offered) > 0 || s.writerGone }
func (s *state) writable() bool { return s.got < len(s.wanted) || s.readerGone }

// take is TryRead.
func (s *state) take(b []byte) (n int, err error) {
	switch {
	case s.readerGone:
		return 0, io.ErrClosedPipe
	case len(s.offered) > 0:
		n = copy(b, s.offered)
		s.offered = s.offered[n:]
		return n, nil
	case s.writerGone:
		return 0, io.EOF
	}
	return 0, nil
}

// change makes a change.
func (s *stream) change(do func(*state)) (next <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(&s.mu.state)
	close(s.mu.changed)
	s.mu.changed = make(chan struct{})
	return s.mu.changed
}

// offer reports that there is more to read. As with epoll, what was reported before is not
// reported again.
func (s *state) offer() {
	if s.watchRead != nil && s.readable() && !s.readerGone {
		s.watchRead(true, false, s.writerGone)
	}
}

// want reports that more is wanted.
func (s *state) want() {
	if s.watchWrite != nil && s.writable() && !s.writerGone {
		s.watchWrite(false, true, s.readerGone)
	}
}

// wait waits for the next change, until the deadline.
func wait(changed <-chan struct{}, until time.Time) {
	if until.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func passed(until time.Time) bool { return !until.IsZero() && !time.Now().Before(until) }

func (s *stream) read(b []byte) (n int, err error) {
	for {
		var until time.Time
		over := false
		changed := s.change(func(st *state) {
			until = st.readUntil
			if st.got > 0 {
				n, over = st.got, true
			} else if n, err = st.take(b); n > 0 || err != nil {
				over = true
			} else if passed(until) {
				err, over = os.ErrDeadlineExceeded, true
			}
			if st.wanted, st.got = b, 0; over {
				st.wanted = nil
				return
			}
			st.want()
		})
		if over {
			return n, err
		}
		wait(changed, until)
	}
}

func (s *stream) write(b []byte) (n int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.change(func(st *state) { st.offered = b; st.offer() })
	for {
		var until time.Time
		over := false
		s.mu.Lock()
		st, changed := &s.mu.state, s.mu.changed
		until = st.writeUntil
		switch n = len(b) - len(st.offered); {
		case len(st.offered) == 0 && len(b) > 0:
			over = true
		case st.writerGone || st.readerGone:
			err, over = io.ErrClosedPipe, true
		case passed(until):
			err, over = os.ErrDeadlineExceeded, true
		case len(b) == 0:
			over = true
		}
		if over {
			st.offered = nil
		}
		s.mu.Unlock()
		if over {
			return n, err
		}
		wait(changed, until)
	}
}
