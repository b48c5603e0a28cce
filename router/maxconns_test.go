package router_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// wantFull checks that app refuses one more connection.
func wantFull(t *testing.T, app protocol.Application) {
	t.Helper()
	refused := consumertest.Refused(t, app, "/", nil)
	if refused.Status != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" {
		t.Errorf("refused with %v %v, want 503 and Retry-After", refused, refused.Header)
	}
}

func TestMaxConns(t *testing.T) {
	t.Parallel()
	app := router.Use(accepting(), router.MaxConns(2))
	first := consumertest.Connect(t, app, "/", nil)
	second := consumertest.Connect(t, app, "/", nil)
	for range 3 { // a refused connection neither occupies nor releases a slot
		wantFull(t, app)
	}
	first.Close(protocol.CloseNormal, "")
	first.WantOver()
	third := consumertest.Connect(t, app, "/", nil)
	wantFull(t, app)
	second.Vanish()
	second.WantOver()
	third.Close(protocol.CloseNormal, "")
	third.WantOver()
	consumertest.Connect(t, app, "/", nil)
	consumertest.Connect(t, app, "/", nil)
	wantFull(t, app)
}

// TestMaxConnsReleasesSlot checks that exactly one slot is released, in whatever way an
// application fails.
func TestMaxConnsReleasesSlot(t *testing.T) {
	t.Parallel()
	fails := []struct {
		at      testkit.Line
		connect func(*protocol.Conn) error
	}{
		{testkit.Here(), func(*protocol.Conn) error { return protocol.NewRejectError(http.StatusForbidden, "no") }},
		{testkit.Here(), func(*protocol.Conn) error { return errors.New("a fault") }},
		{testkit.Here(), func(*protocol.Conn) error { panic("a fault") }},
		{testkit.Here(), func(c *protocol.Conn) error { c.Close(protocol.CloseNormal, ""); return nil }},
	}
	var fail func(*protocol.Conn) error
	app := router.Use(accepting(), router.MaxConns(1),
		around(func(ctx context.Context, c *protocol.Conn, connect func(context.Context, *protocol.Conn) error) error {
			if fail != nil {
				return fail(c)
			}
			return connect(ctx, c)
		}))
	for _, row := range fails {
		fail = row.connect
		for range 2 {
			if refused := consumertest.Refused(t, app, "/", nil); refused.Status == http.StatusServiceUnavailable {
				t.Errorf("%s: the slot is still occupied", row.at)
			}
		}
		fail = nil
		c := consumertest.Connect(t, app, "/", nil)
		wantFull(t, app)
		c.Close(protocol.CloseNormal, "")
		c.WantOver()
	}
}

// TestMaxConnsRefusesBeforeConnect checks that Connect does not run for a connection that
// is refused.
func TestMaxConnsRefusesBeforeConnect(t *testing.T) {
	t.Parallel()
	connects := 0
	app := router.Use(accepting(), router.MaxConns(1),
		around(func(ctx context.Context, c *protocol.Conn, connect func(context.Context, *protocol.Conn) error) error {
			connects++
			return connect(ctx, c)
		}))
	consumertest.Connect(t, app, "/", nil)
	wantFull(t, app)
	if connects != 1 {
		t.Errorf("Connect ran %d times, want once", connects)
	}
}

// TestMaxConnsSharedCount checks that the applications that one value wraps share a count.
func TestMaxConnsSharedCount(t *testing.T) {
	t.Parallel()
	shared := router.MaxConns(1)
	a, b := router.Use(accepting(), shared), router.Use(accepting(), shared)
	c := router.Use(accepting(), router.MaxConns(1))
	consumertest.Connect(t, a, "/", nil)
	wantFull(t, b)
	consumertest.Connect(t, c, "/", nil)
	wantFull(t, c)
}

// TestMaxConnsConcurrently opens many connections at the same time.
func TestMaxConnsConcurrently(t *testing.T) {
	t.Parallel()
	const slots, rounds, opened = 7, 20, 30
	app := router.Use(accepting(), router.MaxConns(slots))
	for range rounds {
		var accepted atomic.Int32
		var opening, open sync.WaitGroup
		sessions := make(chan *protocol.Session, opened)
		for range opened {
			opening.Go(func() {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				s := protocol.NewSession(context.Background(), app, protocol.NewScope("websocket", r), make(firstMessage, 1), nil)
				open.Add(1)
				s.Conn().Defer(open.Done)
				if s.Open() {
					accepted.Add(1)
				}
				sessions <- s
			})
		}
		opening.Wait()
		close(sessions)
		for s := range sessions {
			s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		}
		open.Wait()
		if n := accepted.Load(); n != slots {
			t.Fatalf("%d connections were accepted, want %d", n, slots)
		}
	}
}

// TestMaxConnsOverHTTP checks the answer that a peer gets.
func TestMaxConnsOverHTTP(t *testing.T) {
	t.Parallel()
	s := websocket.New(router.NewURLRouter(
		router.RePath(`^few/$`, router.Use(accepting(), router.MaxConns(1))),
		router.RePath(`^many/$`, accepting()),
	), &websocket.Options{Logger: slog.New(slog.DiscardHandler)})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	for _, path := range []string{"/few/", "/many/", "/many/"} {
		websockettest.Dial(t, srv.URL+path, nil)
	}
	a := websockettest.Refused(t, srv.URL+"/few/", nil)
	after := a.Header.Get("Retry-After")
	if n, err := strconv.Atoi(after); a.Status != http.StatusServiceUnavailable || err != nil || n < 5 || n > 10 {
		t.Errorf("one more got %d and Retry-After %q, want 503 and 5 to 10", a.Status, after)
	}
}

func TestMaxConnsPanicNamesLine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		make func()
		line string
	}{
		{testkit.Here(), func() { router.MaxConns(0) }, lineHere()},
		{testkit.Here(), func() { router.MaxConns(-1) }, lineHere()},
	} {
		wantAll(t, row.at, panicOf(row.make), "wye: router.MaxConns(", "("+row.line+")", "every connection would be refused")
	}
}

// TestMaxConnsBeforeAuth checks that a connection beyond the maximum is not authenticated.
func TestMaxConnsBeforeAuth(t *testing.T) {
	t.Parallel()
	calls := 0
	authenticate := func(context.Context, *protocol.Scope) (string, error) { calls++; return "ann", nil }
	app := router.Use(accepting(), router.MaxConns(1), router.Auth(authenticate))
	first := consumertest.Connect(t, app, "/", nil)
	_ = consumertest.Refused(t, app, "/", nil)
	if calls != 1 {
		t.Errorf("%d connections were authenticated, want 1", calls)
	}
	first.Close(protocol.CloseNormal, "")
	first.WantOver()
}
