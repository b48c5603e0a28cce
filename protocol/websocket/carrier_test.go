package websocket_test

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
	"github.com/wye-go/wye/protocol/websocket/internal/enginetest"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// carrier is a way to carry the connections of a server and to run them. What a peer sees is
// the same for all, and so are the bodies of tests: see inBubbles and onSockets.
type carrier struct {
	name   string
	engine websocket.Engine
	loops  bool // that is where connections run
	memory bool // without a network, in a bubble
	serve  func(tb testing.TB, h http.Handler) (dial func() net.Conn)
}

// bubbleCarriers are those without a network.
func bubbleCarriers() []carrier {
	return []carrier{
		{name: "pipe", engine: websocket.EngineAuto, memory: true},
		{name: "loop in memory", engine: websocket.EngineLoop, loops: true, memory: true},
	}
}

// socketCarriers are those over sockets.
func socketCarriers() []carrier {
	all := []carrier{
		{name: "goroutine", engine: websocket.EngineGoroutine, serve: overTCP},
		{name: "tls", engine: websocket.EngineAuto, serve: overTLS},
	}
	if engine.LoopsWork() {
		all = append(all,
			carrier{name: "loop", engine: websocket.EngineLoop, loops: true, serve: overTCP},
			carrier{name: "unix", engine: websocket.EngineLoop, loops: true, serve: overUnix})
	}
	return all
}

// plainCarriers are those of socketCarriers over TCP, for what takes long.
func plainCarriers() (all []carrier) {
	for _, via := range socketCarriers() {
		if via.name == "goroutine" || via.name == "loop" {
			all = append(all, via)
		}
	}
	return all
}

// inBubbles runs body in a bubble of testing/synctest for each of bubbleCarriers.
func inBubbles(t *testing.T, body func(t *testing.T, via carrier)) {
	t.Helper()
	for _, via := range bubbleCarriers() {
		t.Run(via.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if via.loops { // net/http waits for half a second before it closes what has halves
					t.Cleanup(func() { <-time.After(time.Second) })
				}
				body(t, via)
			})
		})
	}
}

// inMemory is inBubbles without bubbles.
func inMemory(t *testing.T, body func(t *testing.T, via carrier)) {
	t.Helper()
	onEach(t, bubbleCarriers(), body)
}

// onSockets runs body for each of socketCarriers.
func onSockets(t *testing.T, body func(t *testing.T, via carrier)) {
	t.Helper()
	onEach(t, socketCarriers(), body)
}

// onPlainSockets runs body for each of plainCarriers.
func onPlainSockets(t *testing.T, body func(t *testing.T, via carrier)) {
	t.Helper()
	onEach(t, plainCarriers(), body)
}

func onEach(t *testing.T, all []carrier, body func(t *testing.T, via carrier)) {
	t.Helper()
	for _, via := range all {
		t.Run(via.name, func(t *testing.T) {
			t.Parallel()
			body(t, via)
		})
	}
}

// serveOver starts a server. When the test is over, all its connections must be. If via is
// one of bubbleCarriers, call it in the bubble.
func serveOver(tb testing.TB, via carrier, app protocol.Application, o *websocket.Options) *server {
	tb.Helper()
	s := newServer(app, o)
	s.listenOver(tb, via, s.Server)
	return s
}

// listenOver serves h, which is s as a rule. In the end it checks that the connections of s
// have run where they should.
func (s *server) listenOver(tb testing.TB, via carrier, h http.Handler) {
	tb.Helper()
	offLoop := websocket.RunOn(s.Server, via.engine, via.loops && via.memory)
	tb.Cleanup(func() { s.wantPlaced(tb, via, offLoop()) })
	switch {
	case via.memory && via.loops:
		l := newMemoryListener()
		s.serveListener(tb, l, h)
		s.dial = l.dial
	case via.memory:
		l := websockettest.Serve(tb, s.httpServer(h))
		s.dial = func() net.Conn { return l.Dial() }
	default:
		s.dial = via.serve(tb, h)
	}
	tb.Cleanup(func() {
		s.wantEmpty(tb)
		if tb.Failed() {
			tb.Logf("the server's log:\n%s", s.log.String())
		}
	})
}

// wantPlaced fails if connections have run elsewhere. offLoop counts those that a loop was
// asked to run, and could not.
func (s *server) wantPlaced(tb testing.TB, via carrier, offLoop int64) {
	tb.Helper()
	accepted, want := s.Stats().Accepted, int64(0)
	if !via.loops && via.engine != websocket.EngineGoroutine && engine.LoopsWork() {
		want = accepted
	}
	if offLoop != want {
		tb.Errorf("%d of %d connections could not be on a loop, want %d over %s", offLoop, accepted, want, via.name)
	}
}

func (s *server) httpServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(&s.log, nil), slog.LevelError)}
}

// serveListener serves l until the end of the test.
func (s *server) serveListener(tb testing.TB, l net.Listener, h http.Handler) {
	tb.Helper()
	srv, served := s.httpServer(h), make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l)
	}()
	tb.Cleanup(func() {
		srv.Close()
		<-served
	})
}

func overTCP(tb testing.TB, h http.Handler) (dial func() net.Conn) {
	tb.Helper()
	ts := httptest.NewServer(h)
	tb.Cleanup(ts.Close)
	return dialer(tb, ts.Listener.Addr())
}

func overUnix(tb testing.TB, h http.Handler) (dial func() net.Conn) {
	tb.Helper()
	dir, err := os.MkdirTemp("", "wye") //nolint:usetesting // the directory of the test may be too long for an address
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // a directory of temporary files
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		tb.Fatal(err)
	}
	ts := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	ts.Start()
	tb.Cleanup(ts.Close)
	return dialer(tb, l.Addr())
}

func overTLS(tb testing.TB, h http.Handler) (dial func() net.Conn) {
	tb.Helper()
	ts := httptest.NewTLSServer(h)
	tb.Cleanup(ts.Close)
	plain := dialer(tb, ts.Listener.Addr())
	config := ts.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	config.CurvePreferences = []tls.CurveID{tls.X25519} // the default takes ten times as long
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	return func() net.Conn {
		tb.Helper()
		nc := tls.Client(plain(), config)
		if err := nc.HandshakeContext(tb.Context()); err != nil {
			tb.Fatalf("TLS: %v", err)
		}
		return nc
	}
}

func dialer(tb testing.TB, a net.Addr) func() net.Conn {
	tb.Helper()
	return func() net.Conn {
		tb.Helper()
		nc, err := net.Dial(a.Network(), a.String())
		if err != nil {
			tb.Fatalf("dial: %v", err)
		}
		return nc
	}
}

// memoryListener is a websockettest.Listener for connections that loops can run.
type memoryListener struct {
	websockettest.Listener // for Addr

	conns  chan net.Conn
	closed chan struct{}
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) dial() net.Conn {
	ours, theirs := enginetest.NewPair()
	select {
	case l.conns <- theirs:
	case <-l.closed:
		ours.Close()
		theirs.Close()
	}
	return &websockettest.Pipe{Conn: ours, Cut: theirs.Closed()}
}

// Accept implements net.Listener.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *memoryListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

// halves reports whether the client's end can be closed by halves, so that the server waits
// for the peer to hang up after both have closed.
func halves(nc net.Conn) bool {
	if p, ok := nc.(*websockettest.Pipe); ok {
		nc = p.Conn
	}
	_, ok := nc.(interface{ CloseWrite() error })
	return ok
}
