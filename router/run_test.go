package router_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// site is a program that the tests serve: an echo on /ws/, and plain HTTP that answers a
// request for /slow only when release is closed.
type site struct {
	router  *router.ProtocolTypeRouter
	asked   chan struct{}             // a request for /slow has arrived
	release chan struct{}             // closed to let /slow, and a slow Disconnect, return
	gone    chan consumer.CloseStatus // from Disconnect
	slow    bool                      // Disconnect waits for release
}

func (s *site) Connect(context.Context, *consumer.Conn) error { return nil }

func (s *site) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return c.Send(ctx, m)
}

func (s *site) Disconnect(_ context.Context, _ *consumer.Conn, st consumer.CloseStatus) {
	if s.slow {
		<-s.release
	}
	s.gone <- st
}

func newSite() *site { return newSiteWith(websocket.ShutdownOptions{}) }

func newSiteWith(o websocket.ShutdownOptions) *site {
	s := &site{asked: make(chan struct{}, 1), release: make(chan struct{}), gone: make(chan consumer.CloseStatus, 1)}
	plain := http.NewServeMux()
	plain.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		s.asked <- struct{}{}
		<-s.release
		_, _ = io.WriteString(w, "finished")
	})
	urls := router.NewURLRouter(router.RePath(`^ws/$`, consumer.New(func(*consumer.Scope) *site { return s })))
	s.router = router.New(plain, websocket.New(urls, &websocket.Options{Shutdown: o, Logger: slog.New(slog.DiscardHandler)}))
	return s
}

// running is a site that Serve serves.
type running struct {
	addr string
	stop context.CancelFunc
	err  chan error // the result of Serve
}

func serve(t *testing.T, s *site, srv *http.Server, grace time.Duration) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r := &running{addr: l.Addr().String(), stop: stop, err: make(chan error, 1)}
	go func() { r.err <- router.Serve(ctx, l, srv, s.router, grace) }()
	return r
}

// getSlow requests /slow, and returns a channel for the answer.
func getSlow(t *testing.T, addr string) <-chan string {
	t.Helper()
	answer := make(chan string, 1)
	tr := &http.Transport{DisableKeepAlives: true}
	go func() {
		resp, err := (&http.Client{Transport: tr}).Get("http://" + addr + "/slow")
		if err != nil {
			answer <- "error: " + err.Error()
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		answer <- resp.Status + " " + string(b)
	}()
	return answer
}

func TestServeShutsDownInOrder(t *testing.T) {
	t.Parallel()
	s := newSite()
	r := serve(t, s, &http.Server{ReadHeaderTimeout: time.Minute}, 10*time.Second)
	c := websockettest.Dial(t, "ws://"+r.addr+"/ws/", nil)
	c.SendText("hello")
	c.WantText("hello")
	answer := getSlow(t, r.addr)
	testkit.Await(t, s.asked, "the plain request")

	r.stop()
	if reason := c.WantClose(protocol.CloseGoingAway); reason != "the server is shutting down" {
		t.Errorf("closed with %q", reason)
	}
	if nc, err := net.Dial("tcp", r.addr); err == nil {
		_ = nc.Close()
		t.Error("a new connection is accepted during the shutdown")
	}
	select {
	case err := <-r.err:
		t.Errorf("Serve returned %v while a plain request and a connection were open", err)
	default:
	}
	c.Send(websockettest.Close(protocol.CloseGoingAway, ""))
	if st := testkit.Await(t, s.gone, "Disconnect"); st.Code != 1001 || st.Remote {
		t.Errorf("Disconnect got %+v, want our 1001", st)
	}
	close(s.release)
	if got := testkit.Await(t, answer, "the answer to the plain request"); got != "200 OK finished" {
		t.Errorf("the plain request that was running got %q", got)
	}
	if err := testkit.Await(t, r.err, "Serve"); err != nil {
		t.Errorf("Serve returned %v after a clean shutdown", err)
	}
}

// TestServeUsesShutdownOptions checks that connections are closed as the options of their
// protocol say.
func TestServeUsesShutdownOptions(t *testing.T) {
	t.Parallel()
	s := newSiteWith(websocket.ShutdownOptions{Code: 1012, RetryAfter: 15 * time.Second})
	r := serve(t, s, &http.Server{ReadHeaderTimeout: time.Minute}, 10*time.Second)
	c := websockettest.Dial(t, "ws://"+r.addr+"/ws/", nil)
	c.SendText("hello")
	c.WantText("hello")
	r.stop()
	if reason := c.WantClose(1012); !strings.HasPrefix(reason, "the server is shutting down; reconnect after ") {
		t.Errorf("closed with %q", reason)
	}
	c.Send(websockettest.Close(protocol.CloseGoingAway, ""))
	if st := testkit.Await(t, s.gone, "Disconnect"); st.Code != 1012 || st.Remote {
		t.Errorf("Disconnect got %+v, want our 1012", st)
	}
	if err := testkit.Await(t, r.err, "Serve"); err != nil {
		t.Errorf("Serve returned %v after a clean shutdown", err)
	}
}

func TestServeReportsWhatExceedsGrace(t *testing.T) {
	t.Parallel()
	s := newSite()
	s.slow = true
	r := serve(t, s, &http.Server{ReadHeaderTimeout: time.Minute}, 50*time.Millisecond)
	c := websockettest.Dial(t, "ws://"+r.addr+"/ws/", nil)
	c.SendText("hello")
	c.WantText("hello")
	answer := getSlow(t, r.addr)
	testkit.Await(t, s.asked, "the plain request")

	r.stop()
	err := testkit.Await(t, r.err, "Serve")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Serve returned %v, want the deadline's error", err)
	}
	wantAll(t, testkit.Here(), err.Error(), "wye: plain HTTP: ", "wye: shutdown: 1 connections had to be cut")
	if got := testkit.Await(t, answer, "the plain request"); !strings.HasPrefix(got, "error: ") {
		t.Errorf("the plain request got %q, want its connection cut", got)
	}
	close(s.release)
	testkit.Await(t, s.gone, "Disconnect")
}

func TestServeRouterBehindMux(t *testing.T) {
	t.Parallel()
	s := newSite()
	mux := http.NewServeMux()
	mux.Handle("/live/", http.StripPrefix("/live", s.router))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	r := serve(t, s, srv, 10*time.Second)
	c := websockettest.Dial(t, "ws://"+r.addr+"/live/ws/", nil)
	r.stop()
	c.WantClose(protocol.CloseGoingAway)
	c.Conn.Close()
	if err := testkit.Await(t, r.err, "Serve"); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if srv.Handler != http.Handler(mux) {
		t.Error("the server's handler was replaced")
	}
}

func TestServeListenerFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	errShutdown := errors.New("the protocol is stuck")
	closed := make(chan time.Duration, 1)
	r := router.New(nil, &fake{typ: "x", shutdown: func(ctx context.Context) error {
		until, _ := ctx.Deadline()
		closed <- time.Until(until)
		return errShutdown
	}})
	err = router.Serve(t.Context(), l, &http.Server{ReadHeaderTimeout: time.Minute}, r, time.Hour)
	if !errors.Is(err, net.ErrClosed) || !errors.Is(err, errShutdown) {
		t.Errorf("Serve returned %v, want the listener's error and the protocol's", err)
	}
	if left := testkit.Await(t, closed, "the protocol's Shutdown"); left > time.Hour || left < time.Minute {
		t.Errorf("the protocol had %v to end, want the grace of an hour", left)
	}
}

// slowListener closes after a delay.
type slowListener struct {
	net.Listener
	closed atomic.Bool
}

func (l *slowListener) Close() error {
	<-time.After(20 * time.Millisecond)
	defer l.closed.Store(true)
	return l.Listener.Close()
}

func TestServeClosesTheListenerFirst(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &slowListener{Listener: inner}
	shut := make(chan bool, 1)
	r := router.New(nil, &fake{typ: "x", shutdown: func(context.Context) error { shut <- l.closed.Load(); return nil }})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := router.Serve(ctx, l, &http.Server{ReadHeaderTimeout: time.Minute}, r, 10*time.Second); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if !testkit.Await(t, shut, "the protocol's Shutdown") {
		t.Error("the protocols were shut down before the listener was closed")
	}
}

// newServer returns a server, and a channel for the address that it listens on.
func newServer(t *testing.T) (srv *http.Server, addr chan string) {
	t.Helper()
	addr = make(chan string, 1)
	return &http.Server{
		Addr:              "127.0.0.1:0",
		ReadHeaderTimeout: time.Minute,
		BaseContext: func(l net.Listener) context.Context {
			addr <- l.Addr().String()
			return context.Background()
		},
	}, addr
}

func TestRun(t *testing.T) {
	t.Parallel()
	s := newSite()
	srv, addr := newServer(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx, srv, s.router, 10*time.Second) }()
	c := websockettest.Dial(t, "ws://"+testkit.Await(t, addr, "the address")+"/ws/", nil)
	c.SendText("hello")
	c.WantText("hello")
	stop()
	c.WantClose(protocol.CloseGoingAway)
	c.Send(websockettest.Close(protocol.CloseGoingAway, ""))
	if err := testkit.Await(t, ended, "Run"); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if srv.Handler != http.Handler(s.router) {
		t.Error("the router is not the server's handler")
	}
}

func TestRunPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	srv := &http.Server{Addr: l.Addr().String(), ReadHeaderTimeout: time.Minute}
	err = router.Run(t.Context(), srv, router.New(nil), time.Second)
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "listen" || !strings.HasPrefix(err.Error(), "wye: ") {
		t.Errorf("Run returned %v, want the error of listening", err)
	}
}

func TestRunContextDone(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	srv, _ := newServer(t)
	if err := router.Run(ctx, srv, router.New(nil), time.Second); err != nil {
		t.Errorf("Run with a ctx that is done returned %v, want nil", err)
	}
}

// TestRunSetsReadHeaderTimeout checks that Run sets a ReadHeaderTimeout and keeps one that
// the program has set.
func TestRunSetsReadHeaderTimeout(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		srv  *http.Server
		want time.Duration
	}{
		{testkit.Here(), &http.Server{}, 10 * time.Second},
		{testkit.Here(), &http.Server{ReadHeaderTimeout: time.Second}, time.Second},
		{testkit.Here(), &http.Server{ReadHeaderTimeout: -1}, -1},
		{testkit.Here(), &http.Server{ReadTimeout: time.Minute}, 0},
	}
	for _, row := range rows {
		r := serve(t, newSite(), row.srv, time.Second)
		r.stop()
		if err := <-r.err; err != nil {
			t.Errorf("%s: %v", row.at, err)
		}
		if got := row.srv.ReadHeaderTimeout; got != row.want {
			t.Errorf("%s: ReadHeaderTimeout is %v, want %v", row.at, got, row.want)
		}
	}
}
