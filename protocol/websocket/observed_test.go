package websocket_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/internal/engine"
)

// These tests pin what the rest of a program sees of a connection: see "What the rest of a
// program sees" in the package documentation.

// watched is a server behind a listener of its own.
type watched struct {
	*server
	states chan http.ConnState // of one connection after the other
	kept   chan net.Conn       // what middleware may keep of each connection
}

// watch serves o over TCP, behind the listener that wrap returns.
func watch(t *testing.T, o websocket.Options, wrap func(net.Listener) net.Listener) *watched { //nolint:gocritic // a literal reads best
	t.Helper()
	w := &watched{newServer(fakes.Echo(), &o), make(chan http.ConnState, 1000), make(chan net.Conn, 1000)}
	ts := httptest.NewUnstartedServer(w.Server)
	ts.Listener = wrap(ts.Listener)
	ts.Config.ConnState = func(_ net.Conn, st http.ConnState) { w.states <- st }
	ts.Config.ConnContext = func(ctx context.Context, nc net.Conn) context.Context { w.kept <- nc; return ctx }
	ts.Start()
	t.Cleanup(func() { w.wantEmpty(t); ts.Close() })
	w.dial = dialer(t, ts.Listener.Addr())
	return w
}

func asItIs(l net.Listener) net.Listener { return l }

// TestConnState is StateHijacked for good, whatever runs the connection: net/http forgets
// it.
func TestConnState(t *testing.T) {
	t.Parallel()
	for _, e := range []websocket.Engine{websocket.EngineAuto, websocket.EngineGoroutine} {
		w := watch(t, websocket.Options{Engine: e}, asItIs)
		w.open(t).closes()
		w.wantEmpty(t)
		close(w.states)
		var got []http.ConnState
		for st := range w.states {
			got = append(got, st)
		}
		if want := []http.ConnState{http.StateNew, http.StateActive, http.StateHijacked}; !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", e, got, want)
		}
	}
}

// TestKeptConn: a connection that something in front has kept is closed once a loop has
// taken over its socket, and is the connection itself where a goroutine runs it.
func TestKeptConn(t *testing.T) {
	t.Parallel()
	for e, want := range map[websocket.Engine]error{websocket.EngineAuto: net.ErrClosed, websocket.EngineGoroutine: nil} {
		if !engine.LoopsWork() {
			want = nil
		}
		w := watch(t, websocket.Options{Engine: e}, asItIs)
		p := w.open(t)
		nc := testkit.Await(t, w.kept, "the connection")
		p.SendText("the socket is open")
		p.WantText("the socket is open")
		if err := nc.SetDeadline(time.Time{}); !errors.Is(err, want) {
			t.Errorf("%v: SetDeadline returns %v, want %v", e, err, want)
		}
		if _, err := nc.Write(nil); !errors.Is(err, want) {
			t.Errorf("%v: Write returns %v, want %v", e, err, want)
		}
		p.closes()
	}
}

// limitingListener is like netutil.LimitListener: its connections give their place back
// when they are closed.
type limitingListener struct {
	net.Listener

	open, closes atomic.Int32
}

func (l *limitingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &limitedConn{Conn: nc, l: l}, nil
}

type limitedConn struct {
	net.Conn

	l    *limitingListener
	once sync.Once
}

func (c *limitedConn) Close() error {
	c.l.closes.Add(1)
	c.once.Do(func() { c.l.open.Add(-1) })
	return c.Conn.Close()
}

// TestWrappedConn: a connection of a listener that wraps its connections keeps its wrapper:
// a goroutine runs it, and it is closed when it is over and not before. EngineLoop logs it.
func TestWrappedConn(t *testing.T) {
	t.Parallel()
	engines := []websocket.Engine{websocket.EngineAuto, websocket.EngineGoroutine}
	if engine.LoopsWork() {
		engines = append(engines, websocket.EngineLoop)
	}
	for _, e := range engines {
		l := &limitingListener{}
		w := watch(t, websocket.Options{Engine: e}, func(inner net.Listener) net.Listener { l.Listener = inner; return l })
		one, two := w.open(t), w.open(t)
		one.SendText("hello")
		one.WantText("hello")
		if _, onLoops := websocket.Drivers(w.Server); onLoops != 0 || l.open.Load() != 2 || l.closes.Load() != 0 {
			t.Errorf("%v: %d on loops; the listener has %d, %d were closed", e, onLoops, l.open.Load(), l.closes.Load())
		}
		one.closes()
		two.Conn.Close()
		w.wantEmpty(t)
		if n := l.open.Load(); n != 0 {
			t.Errorf("%v: %d places are not given back", e, n)
		}
		if n := strings.Count(w.log.String(), "cannot be on an event loop"); n != map[websocket.Engine]int{websocket.EngineLoop: 1}[e] {
			t.Errorf("%v: %d lines about it:\n%s", e, n, w.log.String())
		}
	}
}

// TestProfileOfIdleConnections: a profile of goroutines has one for each loop, and none for
// a connection on a loop. It does not run beside other tests.
func TestProfileOfIdleConnections(t *testing.T) {
	if !engine.LoopsWork() {
		t.Skip("there are no loops")
	}
	const conns = 50
	for e, want := range map[websocket.Engine][2]int{
		websocket.EngineAuto: {1, runtime.GOMAXPROCS(0)}, websocket.EngineGoroutine: {conns, conns},
	} {
		w := watch(t, websocket.Options{Engine: e}, asItIs)
		var peers []*peer
		for range conns {
			p := w.open(t)
			peers = append(peers, p)
			p.SendText("hello")
			p.WantText("hello")
		}
		var n int
		for begun := time.Now(); time.Since(begun) < patience; <-time.After(time.Millisecond) { // ServeHTTP returns
			if n = goroutinesOf(stacks()); n >= want[0] && n <= want[1] {
				break
			}
		}
		if n < want[0] || n > want[1] {
			t.Errorf("%v: %d goroutines for %d idle connections, want %v", e, n, conns, want)
		}
		for _, p := range peers {
			p.closes()
		}
		w.wantEmpty(t)
	}
}

func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// goroutinesOf counts those that have to do with an engine.
func goroutinesOf(stacks string) (n int) {
	for g := range strings.SplitSeq(stacks, "\n\n") {
		if strings.Contains(g, "/websocket/internal/engine.") {
			n++
		}
	}
	return n
}
