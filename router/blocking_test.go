package router_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// accepted is what a session has said to a transport's Accept.
type accepted struct {
	firstMessage
	session  *protocol.Session
	blocking protocol.Blocking
	route    string
}

func (a *accepted) Accept(protocol.AcceptOptions) error {
	a.blocking, a.route = a.session.Blocking(), a.session.Route()
	return nil
}

// TestBlocking checks what transports learn of an application when they accept its
// connections, and that the innermost declaration wins.
func TestBlocking(t *testing.T) {
	t.Parallel()
	loop := consumer.Func(func(_ context.Context, s *consumer.Stream) error {
		if err := s.Accept(nil); err != nil {
			return err
		}
		<-s.Context().Done()
		return nil
	})
	plain := accepting()
	for _, row := range []struct {
		at    testkit.Line
		app   protocol.Application
		want  protocol.Blocking
		route string
	}{
		{testkit.Here(), plain, protocol.BlockingUnknown, "*consumer.handler"},
		{testkit.Here(), router.Blocking(plain), protocol.BlockingYes, "router.declared"},
		{testkit.Here(), router.Inline(plain), protocol.BlockingNo, "router.declared"},
		{testkit.Here(), router.Use(plain, router.Blocking, router.Inline), protocol.BlockingNo, "router.declared"},
		{testkit.Here(), router.Use(plain, router.Inline, router.Blocking), protocol.BlockingYes, "router.declared"},
		{testkit.Here(), router.NewURLRouter(router.Path("ws/<room>/", router.Use(plain, router.Blocking))), protocol.BlockingYes, "ws/<room>/"},
		{testkit.Here(), router.Use(router.NewURLRouter(router.Mount("ws/", router.NewURLRouter(router.RePath("^([a-z]+)/", plain)))), router.Inline), protocol.BlockingNo, "ws/^([a-z]+)/"},
		{testkit.Here(), loop, protocol.BlockingYes, "*consumer.handler"},
		{testkit.Here(), router.Use(loop, router.Inline), protocol.BlockingYes, "router.declared"},
	} {
		tr := &accepted{firstMessage: make(firstMessage, 1)}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ws/lobby/", nil)
		tr.session = protocol.NewSession(t.Context(), row.app, protocol.NewScope("websocket", r), tr, nil)
		ended := make(chan struct{})
		tr.session.Conn().Defer(func() { close(ended) })
		if !tr.session.Open() {
			t.Fatalf("%s: refused", row.at)
		}
		if tr.blocking != row.want || tr.route != row.route {
			t.Errorf("%s: Accept saw %v of route %q, want %v of %q", row.at, tr.blocking, tr.route, row.want, row.route)
		}
		if got, route := tr.session.Blocking(), tr.session.Route(); got != row.want || route != "" {
			t.Errorf("%s: after Open, the session said %v, of route %q", row.at, got, route)
		}
		tr.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		<-ended
	}
}
