package websockettest

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Listener is a net.Listener without a network: its connections are net.Pipes, which
// work in a bubble of testing/synctest. A write to a pipe blocks until the other end has
// read it. The zero value is ready to use.
type Listener struct {
	once   sync.Once
	conns  chan net.Conn
	closed chan struct{}
	end    sync.Once
}

// Serve makes srv serve a new Listener until the end of the test, and returns it. To
// connect, pass its Dial to New. Of srv only Handler is required.
func Serve(tb testing.TB, srv *http.Server) *Listener {
	tb.Helper()
	l := &Listener{}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	tb.Cleanup(func() {
		srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("websockettest: Serve: %v", err)
		}
	})
	return l
}

func (l *Listener) init() {
	l.once.Do(func() { l.conns, l.closed = make(chan net.Conn), make(chan struct{}) })
}

// Dial opens a connection. It blocks until the server accepts it. If the listener is
// closed, it returns a closed connection.
func (l *Listener) Dial() *Pipe {
	l.init()
	ours, theirs := net.Pipe()
	cut := make(chan struct{})
	select {
	case l.conns <- &serverEnd{Conn: theirs, cut: cut}:
	case <-l.closed:
		ours.Close()
		close(cut)
	}
	return &Pipe{ours, cut}
}

// Accept returns the server's end of the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	l.init()
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close makes Accept return net.ErrClosed. It does not close connections.
func (l *Listener) Close() error {
	l.init()
	l.end.Do(func() { close(l.closed) })
	return nil
}

// Addr returns an address to which nothing can connect.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: "websockettest", Net: "unix"} }

// Pipe is the client's end of a connection of a Listener.
type Pipe struct {
	net.Conn

	// Cut is closed when the server has closed its end. It needs no read or write.
	Cut <-chan struct{}
}

// serverEnd is the other end.
type serverEnd struct {
	net.Conn
	once sync.Once
	cut  chan struct{}
}

func (e *serverEnd) Close() error {
	e.once.Do(func() { close(e.cut) })
	return e.Conn.Close()
}
