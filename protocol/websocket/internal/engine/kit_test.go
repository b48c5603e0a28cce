package engine

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/enginetest"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// handover is a handshake that leaves a socket.
type handover struct{ socket net.Conn }

func (h handover) Reject(*protocol.RejectError) {}
func (h handover) Accept(protocol.AcceptOptions) (Accepted, error) {
	answer := bytespool.Get()
	answer.B = append(answer.B, "HTTP/1.1 101 Switching Protocols\r\n\r\n"...)
	return Accepted{Socket: h.socket, Answer: answer}, nil
}

// testEngine is an engine without a server.
type testEngine struct {
	*Engine
	sessions protocol.SessionOptions
	opened   sync.WaitGroup // connections that have not left
}

// newTestEngine fills in what c leaves out.
func newTestEngine(c Config) *testEngine {
	e := &testEngine{}
	c.Limits = c.Limits.WithDefaults()
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 15 * time.Second
	}
	c.CloseTimeout, c.PingInterval, c.PongTimeout, c.QueueBytes = 5*time.Second, 25*time.Second, 20*time.Second, 256<<20
	c.Leave = func(*protocol.Conn) { e.opened.Done() }
	e.Engine = New(c)
	e.sessions = protocol.SessionOptions{Limits: c.Limits, Counters: new(protocol.Counters)}
	return e
}

// session returns a session of app.
func (e *testEngine) session(app protocol.Application, t protocol.Transport) *protocol.Session {
	e.opened.Add(1)
	return protocol.NewSession(context.Background(), app, protocol.NewScope("x", handshaketest.Request()), t, &e.sessions)
}

// finish waits until all connections have left. Their peers have gone.
func (e *testEngine) finish() { e.opened.Wait() }

// step stands between a session and its connection, to stop between two steps.
type step struct {
	*Conn
	accept func(c *Conn) error
}

func (s *step) Accept(protocol.AcceptOptions) error { return s.accept(s.Conn) }

// wired opens a connection over a pipe, with accept in place of Conn.Accept.
func (e *testEngine) wired(app protocol.Application, accept func(c *Conn) error) (c *Conn, peer net.Conn) {
	ours, theirs := net.Pipe()
	c = e.NewConn(&Opening{Handshake: handover{ours}}, "")
	go c.Open(e.session(app, &step{c, accept}))
	return c, theirs
}

// acceptSilently accepts without writing the answer and without a reader.
func acceptSilently(c *Conn) error {
	a, err := c.opening().Accept(protocol.AcceptOptions{})
	c.adopt(&a)
	c.out.wrote(len(c.out.peek()[0]), c.session)
	c.advance(phaseReading)
	return err
}

// alone opens the one connection of a new engine, of an application that echoes, for calls
// of handleRead: the watcher does not sample it.
func alone(tb testing.TB) (*Conn, *enginetest.Sink) {
	tb.Helper()
	e, nc := newTestEngine(Config{}), enginetest.NewSink()
	c := e.NewConn(&Opening{Handshake: handover{nc}}, "")
	c.Open(e.session(fakes.Echo(), c))
	nc.AwaitReader()
	threadOf(c).reading.watched.Store(true)
	tb.Cleanup(func() {
		nc.Close()
		e.finish()
	})
	return c, nc
}

// handleRead handles what was read, as readAll does. It does not call Helper, which would
// take a third of the time of a benchmark.
func handleRead(tb testing.TB, c *Conn, read []byte) { //nolint:thelper // see above
	c.out.startBatch()
	if o := c.parse(read, &threadOf(c).reading, 1<<30); o != readOn {
		tb.Fatalf("outcome %d", o)
	}
	c.endBatch()
}

// threadOf returns the goroutine's side of c.
func threadOf(c *Conn) *thread { return c.runner.(*thread) }
