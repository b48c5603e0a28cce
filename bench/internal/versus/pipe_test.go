package versus

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// pipes is a listener whose connections are net.Pipes: no socket, no port, and
// the same few allocations for every server.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{} // gets one for each connection that the server has closed
	over   chan struct{}
	end    sync.Once
}

// listen has net/http serve the library's handler until the test ends.
func listen(tb testing.TB, l library) *pipes {
	tb.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{}, 1), over: make(chan struct{})}
	s := &http.Server{Handler: l.serve(tb, nil)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(p) }()
	tb.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Error(err)
		}
	})
	return p
}

// dial returns the client's end of a new connection.
func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- &watched{Conn: theirs, closed: p.closed}
	return ours
}

// Accept returns the server's end of a connection.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (p *pipes) Close() error {
	p.end.Do(func() { close(p.over) })
	return nil
}

// Addr returns no address of any use.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// watched tells when it is closed, once.
type watched struct {
	net.Conn
	closed chan<- struct{}
	once   atomic.Bool
}

// Close closes the connection and tells it.
func (w *watched) Close() error {
	err := w.Conn.Close()
	if w.once.CompareAndSwap(false, true) {
		w.closed <- struct{}{}
	}
	return err
}
