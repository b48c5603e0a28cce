package websocket

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// discard is a socket whose peer says nothing and hears everything at once.
type discard struct {
	writes    atomic.Int64
	bytes     atomic.Int64
	deadlines atomic.Int64  // of writes, how often they were moved
	heard     *bytes.Buffer // gets what is written, if it is there
	wrote     chan struct{} // gets a value for each write, if it is there
	reading   chan struct{} // closed by the first read
	over      chan struct{}
	once      [2]sync.Once
}

func newDiscard() *discard { return &discard{reading: make(chan struct{}), over: make(chan struct{})} }

func (d *discard) Read([]byte) (int, error) {
	d.once[0].Do(func() { close(d.reading) })
	<-d.over
	return 0, net.ErrClosed
}

func (d *discard) Write(b []byte) (int, error) {
	d.writes.Add(1)
	d.bytes.Add(int64(len(b)))
	if d.heard != nil {
		d.heard.Write(b)
	}
	if d.wrote != nil {
		d.wrote <- struct{}{}
	}
	return len(b), nil
}

func (d *discard) Close() error {
	d.once[1].Do(func() { close(d.over) })
	return nil
}

func (d *discard) LocalAddr() net.Addr             { return &net.TCPAddr{} }
func (d *discard) RemoteAddr() net.Addr            { return &net.TCPAddr{} }
func (d *discard) SetDeadline(time.Time) error     { return nil }
func (d *discard) SetReadDeadline(time.Time) error { return nil }
func (d *discard) SetWriteDeadline(time.Time) error {
	d.deadlines.Add(1)
	return nil
}

// joined opens a connection of s over nc. When it returns nothing of it is left
// to do: its reader waits for nc.
func joined(tb testing.TB, s *Server, nc *discard) {
	tb.Helper()
	s.ServeHTTP(&hijacker{nc: nc}, handshaketest.Request())
	<-nc.reading
	tb.Cleanup(func() { nc.Close() })
}

// alone makes the one connection of a new server of an application that echoes,
// for calls of parse: the watcher does not look at it.
func alone(tb testing.TB) (*conn, *discard) {
	tb.Helper()
	s := New(fakes.Echo(), nil)
	nc := newDiscard()
	tb.Cleanup(func() { finish(tb, s) })
	joined(tb, s, nc)
	for _, c := range s.engine.allConns() {
		c.reading.watched.Store(true)
		return c, nc
	}
	tb.Fatal("not accepted")
	return nil, nil
}

// turnOf deals with a read, as readAll does.
func turnOf(tb testing.TB, c *conn, read []byte) {
	tb.Helper()
	c.out.startBatch()
	if o := c.parse(read); o != readOn {
		tb.Fatalf("outcome %d", o)
	}
	c.endBatch()
}
