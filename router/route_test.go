package router_test

import (
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
		want string // "": not found
	}{
		{testkit.Here(), "a named group", rooms, "/ws/123/", `app "/ws/123/" "" group="123" page=""`},
		{testkit.Here(), "Go's other spelling", `^ws/(?<group>\w+)/$`, "/ws/123/", `app "/ws/123/" "" group="123" page=""`},
		{testkit.Here(), "one leading slash goes", rooms, "///ws/123/", notCanonical("///ws/123/", emptySegment)},
		{testkit.Here(), "no leading slash", rooms, "ws/123/", `app "ws/123/" "" group="123" page=""`},
		{testkit.Here(), "slashes within stay", `^ws/(?P<group>.*)$`, "/ws//123/", notCanonical("/ws//123/", emptySegment)},
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

func TestTheFirstRouteThatMatchesServes(t *testing.T) {
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
		{testkit.Here(), "slashes before the rest do not go", "/de/7///fr/", notCanonical("/de/7///fr/", emptySegment)},
	}
	for _, row := range rows {
		if got := open(urls, row.path); got != row.want {
			t.Errorf("%s: %s: %s: %s, want %s", row.at, row.name, row.path, got, row.want)
		}
	}
}

// TestAScopeIsLeftAsItWas has a router try branches, and looks at the scope of
// the next one.
func TestAScopeIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	login := func(next protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
			return next.Open(scopes.WithRoute(s.WithUser("ann"), plumbing.Match{Rest: s.Path(), Params: []plumbing.Param{{Name: "group", Value: "a"}}}))
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
