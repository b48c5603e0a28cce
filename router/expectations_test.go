package router_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

func stranger(context.Context, *protocol.Scope) (string, error) { return "", router.ErrUnauthenticated }

func idle() protocol.Application {
	return consumer.ReceiveFunc(func(context.Context, *consumer.Conn, consumer.Message) error { return nil })
}

// TestAuthOfAMountIsForItsRoutes: who is not asked, and refuses nobody, for a path
// that the mounted router does not have and the next route has.
func TestAuthOfAMountIsForItsRoutes(t *testing.T) {
	t.Parallel()
	asked := 0
	who := func(context.Context, *protocol.Scope) (string, error) {
		asked++
		return "", router.ErrUnauthenticated
	}
	urls := router.NewURLRouter(
		router.Mount("", router.Use(router.NewURLRouter(router.Path("admin/", here("admin"))), router.Auth(who))),
		router.Path("public/", here("public")),
	)
	if got, want := open(urls, "/public/"), `public "/public/" ""`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if asked != 0 {
		t.Errorf("the authenticator of another route was asked %d times", asked)
	}
	if got, want := open(urls, "/admin/"), "401 log in first"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLogOfARefusalHasTheRoute, also in front of the router.
func TestLogOfARefusalHasTheRoute(t *testing.T) {
	t.Parallel()
	l := &ledger{drop: " protocol peer "}
	urls := router.NewURLRouter(router.Path("admin/<int:id>/", router.Use(idle(), router.Auth(stranger))))
	_ = consumertest.Refused(t, router.Use(urls, router.Log(l.logger())), "/admin/7/", nil)
	l.want(t, testkit.Here(), "in front", `refused route=admin/<int:id>/ path=/admin/7/ status=401`)
}

// TestLogOfARouteHasIts404: behind a Path nobody in front knows better.
func TestLogOfARouteHasIts404(t *testing.T) {
	t.Parallel()
	l := &ledger{drop: " protocol peer "}
	gone := protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		_, err := protocol.ParamAs[bool](s, "x")
		return nil, err
	})
	urls := router.NewURLRouter(router.Path("ws/<x>/", router.Use(gone, router.Log(l.logger()))))
	_ = consumertest.Refused(t, urls, "/ws/maybe/", nil)
	l.want(t, testkit.Here(), "within", `refused route=ws/<x>/ path=/ws/maybe/ status=404`)
}

// TestRouteAfterBacktracking is the one that took the connection.
func TestRouteAfterBacktracking(t *testing.T) {
	t.Parallel()
	veto := func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			if _, err := next.Open(s); err != nil {
				return nil, err
			}
			return nil, protocol.ErrNoRoute
		})
	}
	urls := router.NewURLRouter(
		router.Mount("a/", router.Use(router.NewURLRouter(router.Path("x/", idle())), veto)),
		router.Path("a/<y>/", idle()),
	)
	s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a/x/", nil))
	if _, err := urls.Open(s); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Route(), "a/<y>/"; got != want {
		t.Errorf("route %q, want %q", got, want)
	}
}

// TestRouteOfTheOneLineForm is the mux's pattern.
func TestRouteOfTheOneLineForm(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/live/7", nil)
	r.Pattern = "GET /live/{room}"
	if got := protocol.NewScope("websocket", r).Route(); got == "" {
		t.Error("the route of a connection behind a mux is empty, and so it is in the log")
	}
}

// TestURLForLeadsToItsRoute, and not to one before it.
func TestURLForLeadsToItsRoute(t *testing.T) {
	t.Parallel()
	urls := router.NewURLRouter(router.Path("ws/new/", here("new")), router.Path("ws/<slug:group>/", here("room")).Name("room"))
	if got, err := urls.URLFor("room", map[string]string{"group": "new"}); err == nil {
		t.Errorf("%s leads to %s", got, open(urls, got))
	}
}

// TestMaxConnsBoundsAuth: when there is no room nobody is asked who he is.
func TestMaxConnsBoundsAuth(t *testing.T) {
	t.Parallel()
	asked := 0
	who := func(context.Context, *protocol.Scope) (string, error) { asked++; return "ann", nil }
	app := router.Use(idle(), router.MaxConns(1), router.Auth(who))
	first := consumertest.Connect(t, app, "/", nil)
	_ = consumertest.Refused(t, app, "/", nil)
	if asked != 1 {
		t.Errorf("%d were authenticated where there is room for 1", asked)
	}
	first.Close(protocol.CloseNormal, "")
	first.WantOver()
}

// TestTextOf404IsBounded: it repeats what the peer has sent, up to four times as
// long.
func TestTextOf404IsBounded(t *testing.T) {
	t.Parallel()
	if got := open(router.NewURLRouter(), "/"+strings.Repeat("\x01", 16<<10)); len(got) > 1<<10 {
		t.Errorf("a text of %d bytes", len(got))
	}
}

// TestMistakesOfWhoComesFromElsewhere are found when a router is built.
func TestMistakesOfWhoComesFromElsewhere(t *testing.T) {
	t.Parallel()
	app := here("app")
	named := func() *router.URLRouter { return router.NewURLRouter(router.Path("x/", app).Name("x")) }
	rows := []struct {
		at    testkit.Line
		build func()
		wants []string
	}{
		{testkit.Here(), func() { router.Path("ws/{room}/", app) }, []string{"<room>"}},
		{testkit.Here(), func() { router.Path("ws/:room/", app) }, []string{"<room>"}},
		{testkit.Here(), func() { router.Path("ws/*", app) }, []string{"<path:"}},
		{testkit.Here(), func() { router.Path("caf%C3%A9/", app) }, []string{"decoded"}},
		{testkit.Here(), func() { router.Path("ws/?page=<int:page>", app) }, []string{"query"}},
		{testkit.Here(), func() { router.Converters{"y": {Expr: `^\d{4}$`}}.Path("<y:y>/", app) }, []string{"wye: ", "^"}},
		{testkit.Here(), func() {
			router.Converters{"y": {Check: func(string) error { return nil }}}.Path("<y:y>/", app)
		}, []string{"wye: ", "Expr"}},
		{testkit.Here(), func() { router.RePath(`\Qa$`, app) }, []string{"wye: ", "expectations_test.go"}},
		{testkit.Here(), func() { router.NewURLRouter(router.Path("ws/<path:rest>", app), router.Path("ws/<slug:g>/", app)) }, []string{"never be reached"}},
		{testkit.Here(), func() { router.NewURLRouter(router.Path("ws/<slug:a>/", app), router.Path("ws/<slug:b>/", app)) }, []string{"never be reached"}},
		{testkit.Here(), func() { router.NewURLRouter(router.Mount("a/", named()), router.Mount("b/", named())) }, []string{`two routes have the name "x"`}},
		{testkit.Here(), func() { router.Use(nil, router.Limit(protocol.Limits{})) }, []string{"wye: router.Use"}},
		{testkit.Here(), func() { router.Use(app, nil) }, []string{"wye: router.Use"}},
	}
	for _, row := range rows {
		wantAll(t, row.at, panicOf(row.build), row.wants...)
	}
}
