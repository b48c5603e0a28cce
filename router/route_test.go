package router_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

func TestRePath(t *testing.T) {
	t.Parallel()
	const rooms = `^ws/(?P<group>\w+)/$`
	rows := []struct {
		at   testkit.Line
		name string
		expr string
		path string
		want string // the answer; "" if not found
	}{
		{testkit.Here(), "a named group", rooms, "/ws/123/", `app "/ws/123/" "" group="123" page=""`},
		{testkit.Here(), "Go's other spelling", `^ws/(?<group>\w+)/$`, "/ws/123/", `app "/ws/123/" "" group="123" page=""`},
		{testkit.Here(), "more than one leading slash", rooms, "///ws/123/", notCanonical("///ws/123/", emptySegment)},
		{testkit.Here(), "no leading slash", rooms, "ws/123/", `app "ws/123/" "" group="123" page=""`},
		{testkit.Here(), "two slashes", `^ws/(?P<group>.*)$`, "/ws//123/", notCanonical("/ws//123/", emptySegment)},
		{testkit.Here(), "$ is the end", rooms, "/ws/123/more", ""},
		{testkit.Here(), "$ is the end, and no newline", rooms, "/ws/123/\n", notCanonical("/ws/123/\n", control)},
		{testkit.Here(), "$ is all of it, without ^", `ws/$`, "/deep/ws/", ""},
		{testkit.Here(), "$ of an alternative", `^a/$|^b/$`, "/b/", `app "/b/" "" group="" page=""`},
		{testkit.Here(), "$ of an alternative is the end", `^a/|^b/$`, "/a/b/", ""},
		{testkit.Here(), `\$ is a dollar`, `^price\$`, "/price$/x", `app "/price$" "/x" group="" page=""`},
		{testkit.Here(), `\\$ is a backslash and the end`, `^a\\$`, `/a\b`, ""},
		{testkit.Here(), `\\$ is a backslash and the end`, `^a\\$`, `/a\`, `app "/a\\" "" group="" page=""`},
		{testkit.Here(), "a prefix", `^ws/(?P<group>\w+)/`, "/ws/1/x/y", `app "/ws/1/" "x/y" group="1" page=""`},
		{testkit.Here(), "^ is the beginning", `^ws/`, "/deep/ws/", ""},
		{testkit.Here(), "found anywhere", `ws/(?P<group>\d+)`, "/deep/ws/12/rest", `app "/deep/ws/12" "/rest" group="12" page=""`},
		{testkit.Here(), "the first place", `\d+`, "/a1/b2", `app "/a1" "/b2" group="" page=""`},
		{testkit.Here(), "a group that took no part", `^(?P<group>\w+)/(?:(?P<page>\d+)/)?$`, "/x/", `app "/x/" "" group="x" page=""`},
		{testkit.Here(), "a group that took part", `^(?P<group>\w+)/(?:(?P<page>\d+)/)?$`, "/x/2/", `app "/x/2/" "" group="x" page="2"`},
		{testkit.Here(), "groups without a name", `^(\w+)/(?P<page>\d+)/$`, "/x/2/", `app "/x/2/" "" group="" page="2"`},
		{testkit.Here(), "flags", `(?i)^WS/$`, "/ws/", `app "/ws/" "" group="" page=""`},
		{testkit.Here(), "the root", `^$`, "/", `app "/" "" group="" page=""`},
		{testkit.Here(), `\w is ASCII`, rooms, "/ws/caf\u00e9/", ""},
		{testkit.Here(), "decoded", `^(?P<group>[^/]+)/$`, "/two words/", `app "/two words/" "" group="two words" page=""`},
	}
	for _, row := range rows {
		want := row.want
		if want == "" {
			want = notFound(row.path)
		}
		urls := router.NewURLRouter(router.RePath(row.expr, here("app", "group", "page")))
		if got := open(urls, row.path); got != want {
			t.Errorf("%s: %s: %q at %q: %s, want %s", row.at, row.name, row.expr, row.path, got, want)
		}
	}
}

func TestFirstMatchServes(t *testing.T) {
	t.Parallel()
	urls := router.NewURLRouter(
		router.RePath(`^ws/new/$`, here("new")),
		router.RePath(`^ws/(?P<group>\w+)/$`, here("room", "group")),
		router.RePath(`^ws/`, here("rest")),
	)
	for path, want := range map[string]string{
		"/ws/new/":  `new "/ws/new/" ""`,
		"/ws/old/":  `room "/ws/old/" "" group="old"`,
		"/ws/a/b/c": `rest "/ws/" "a/b/c"`,
		"/sw/":      notFound("/sw/"),
	} {
		if got := open(urls, path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestParametersOfNestedRoutes(t *testing.T) {
	t.Parallel()
	inner := router.NewURLRouter(
		router.RePath(`^item/(?P<id>\d+)/$`, here("item", "lang", "id", "page")),
		router.RePath(`^page/(?:(?P<page>\d+)/)?$`, here("maybe", "lang", "page")),
		router.RePath(`^any/(?P<page>\d*)$`, here("empty", "page")),
		router.RePath(`^(?P<lang>\w+)/$`, here("lang", "lang", "page")),
	)
	urls := router.NewURLRouter(router.RePath(`^(?P<lang>\w+)/(?P<page>\d+)/`, inner))
	rows := []struct {
		at         testkit.Line
		name       string
		path, want string
	}{
		{testkit.Here(), "both routers'", "/de/7/item/42/", `item "/de/7/item/42/" "" lang="de" id="42" page="7"`},
		{testkit.Here(), "the inner wins", "/de/7/fr/", `lang "/de/7/fr/" "" lang="fr" page="7"`},
		{testkit.Here(), "unless it took no part", "/de/7/page/", `maybe "/de/7/page/" "" lang="de" page="7"`},
		{testkit.Here(), "if it did", "/de/7/page/8/", `maybe "/de/7/page/8/" "" lang="de" page="8"`},
		{testkit.Here(), "also with nothing", "/de/7/any/", `empty "/de/7/any/" "" page=""`},
		{testkit.Here(), "slashes before the rest", "/de/7///fr/", notCanonical("/de/7///fr/", emptySegment)},
	}
	for _, row := range rows {
		if got := open(urls, row.path); got != row.want {
			t.Errorf("%s: %s: %s: %s, want %s", row.at, row.name, row.path, got, row.want)
		}
	}
}

// TestScopeIsUnchangedByOtherRoutes checks that a route that was tried, and its middleware,
// leave no trace in the scope of the next route.
func TestScopeIsUnchangedByOtherRoutes(t *testing.T) {
	t.Parallel()
	login := func(next protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
			return next.Open(scopes.WithRoute(s.WithUser("ann"), &plumbing.Match{Rest: s.Path(), Params: []plumbing.Param{{Name: "group", Value: "a"}}}))
		})
	}
	var user any
	last := protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		user = s.User()
		return here("last", "group").Open(s)
	})
	urls := router.NewURLRouter(
		router.Mount("a/", router.Use(router.NewURLRouter(router.RePath(`^(?P<group>\d+)/$`, here("number"))), login)),
		router.RePath(`^a/\w+/$`, last),
	)
	if got, want := open(urls, "/a/b/"), `last "/a/b/" "" group=""`; got != want || user != nil {
		t.Errorf("%s and the user %v, want %s and none", got, user, want)
	}
}

// TestScopeRoute checks that middleware in front of routers sees the route that served the
// connection, and not one that was tried before.
func TestScopeRoute(t *testing.T) {
	t.Parallel()
	accepts := protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		if want := `shop/<slug:shop>/^(?P<room>\w+)/$`; s.Route() != want {
			t.Errorf("the application is at %q, want %q", s.Route(), want)
		}
		return nil, nil //nolint:nilnil // the result is not used
	})
	urls := router.NewURLRouter(
		router.Mount("shop/", router.NewURLRouter(router.Path("<slug:shop>/x/", fails(protocol.ErrNoRoute)))),
		router.Mount("shop/<slug:shop>/", router.Use(router.NewURLRouter(router.RePath(`^(?P<room>\w+)/$`, accepts)), opaque)),
	)
	for path, want := range map[string]string{"/shop/tea/x/": `shop/<slug:shop>/^(?P<room>\w+)/$`, "/shop/tea/": ""} {
		s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if s.Route() != "" {
			t.Errorf("a new scope has the route %q", s.Route())
		}
		_, err := urls.Open(s)
		if s.Route() != want || (err == nil) != (want != "") {
			t.Errorf("%s: the route is %q, want %q, and the error %v", path, s.Route(), want, err)
		}
	}
}

// TestScopeRouteAfterMount checks that Scope.Route is the route that served the connection,
// and not a mount that was tried before.
func TestScopeRouteAfterMount(t *testing.T) {
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
		router.Mount("a/", router.Use(router.NewURLRouter(router.Path("x/", accepting())), veto)),
		router.Path("a/<y>/", accepting()),
	)
	s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a/x/", nil))
	if _, err := urls.Open(s); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Route(), "a/<y>/"; got != want {
		t.Errorf("route %q, want %q", got, want)
	}
}

// TestScopeRouteBehindMux checks that Scope.Route has the pattern of an http.ServeMux if
// there is no router.
func TestScopeRouteBehindMux(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/live/7", nil)
	r.Pattern = "GET /live/{room}"
	if got := protocol.NewScope("websocket", r).Route(); got == "" {
		t.Error("the route of a connection behind a mux is empty")
	}
}
