package websocket_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// server is a websocket.Server behind a listener.
type server struct {
	*websocket.Server
	log  testkit.Buffer
	dial func() net.Conn
}

// newServer makes a server that is not listening yet. o may be nil.
func newServer(app protocol.Application, o *websocket.Options) *server {
	s := &server{}
	var opts websocket.Options
	if o != nil {
		opts = *o
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(&s.log, nil))
	}
	s.Server = websocket.New(app, &opts)
	return s
}

// serve starts a server on a loopback socket. When the test is over, all its
// connections must be.
func serve(tb testing.TB, app protocol.Application, o *websocket.Options) *server {
	tb.Helper()
	s := newServer(app, o)
	s.listen(tb, s.Server)
	return s
}

// listen serves h, which is s as a rule, on a loopback socket.
func (s *server) listen(tb testing.TB, h http.Handler) {
	tb.Helper()
	ts := httptest.NewServer(h)
	tb.Cleanup(func() {
		s.wantEmpty(tb)
		ts.Close()
		if tb.Failed() {
			tb.Logf("the server's log:\n%s", s.log.String())
		}
	})
	addr := ts.Listener.Addr().String()
	s.dial = func() net.Conn {
		tb.Helper()
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			tb.Fatalf("dial: %v", err)
		}
		return nc
	}
}

// wantEmpty fails if connections stay although their peers have gone.
func (s *server) wantEmpty(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		tb.Errorf("connections are left: %v", err)
	}
	if n := s.Stats().Open; n != 0 {
		tb.Errorf("Stats().Open = %d when all is over, want 0", n)
	}
	for begun := time.Now(); ; <-time.After(time.Millisecond) { // loops end with their last connection
		drivers, _ := websocket.Drivers(s.Server)
		if drivers == 0 {
			return
		}
		if time.Since(begun) > patience {
			tb.Errorf("%d loops go on when all is over", drivers)
			return
		}
	}
}

// peer is a new client that has not said anything.
func (s *server) peer(tb testing.TB) *peer {
	tb.Helper()
	return newPeer(tb, s.dial())
}

// open is a new client whose handshake has been accepted.
func (s *server) open(tb testing.TB, lines ...string) *peer {
	tb.Helper()
	p := s.peer(tb)
	p.Upgrade(websockettest.Request("/", lines...))
	return p
}

// wantLog fails if the log does not contain all of words.
func (s *server) wantLog(tb testing.TB, words ...string) {
	tb.Helper()
	for _, w := range words {
		if got := s.log.String(); !strings.Contains(got, w) {
			tb.Errorf("the log does not contain %q:\n%s", w, got)
		}
	}
}
