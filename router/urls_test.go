package router_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// opaque is middleware that changes nothing, and is not a Finder.
func opaque(next protocol.Application) protocol.Application {
	return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) { return next.Open(s) })
}

// wrapping is middleware that wraps the error of the application behind it.
func wrapping(next protocol.Application) protocol.Application {
	return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		h, err := next.Open(s)
		return h, fmt.Errorf("behind the middleware: %w", err)
	})
}

func TestDecision11_OnlyMountsTryTheNextRoute(t *testing.T) {
	t.Parallel()
	x := router.NewURLRouter(router.RePath(`^x/$`, here("x")))
	rows := []struct {
		at         testkit.Line
		name       string
		urls       protocol.Application
		path, want string
	}{
		{testkit.Here(), "the rest of the path", router.NewURLRouter(router.Mount("lobby/", x)), "/lobby/x/", `x "/lobby/x/" ""`},
		{testkit.Here(), "through middleware", router.NewURLRouter(router.Mount("lobby/", opaque(x))), "/lobby/x/", `x "/lobby/x/" ""`},
		{testkit.Here(), "mounts in mounts", router.NewURLRouter(router.Mount("a/", router.NewURLRouter(router.Mount("b/", x)))), "/a/b/x/", `x "/a/b/x/" ""`},
		{testkit.Here(), "an application that is no router", router.NewURLRouter(router.Mount("a/", here("app"))), "/a/b/c", `app "/a/" "b/c"`},
		{testkit.Here(), "the prefix is literal", router.NewURLRouter(router.Mount("a.b/", here("app"))), "/axb/", notFound("/axb/")},
		{testkit.Here(), "and at the beginning", router.NewURLRouter(router.Mount("a/", here("app"))), "/b/a/", notFound("/b/a/")},

		{testkit.Here(), "tries the next mount",
			router.NewURLRouter(router.Mount("a/", x), router.Mount("a/", router.NewURLRouter(router.RePath(`^y/$`, here("y"))))), "/a/y/", `y "/a/y/" ""`},
		{testkit.Here(), "tries the next route", router.NewURLRouter(router.Mount("a/", x), router.RePath(`^a/y/$`, here("y"))), "/a/y/", `y "/a/y/" ""`},
		{testkit.Here(), "tries the next route after two routers", router.NewURLRouter(router.Mount("a/", router.NewURLRouter(router.Mount("b/", x))), router.RePath(`^a/b/y/$`, here("y"))), "/a/b/y/", `y "/a/b/y/" ""`},
		{testkit.Here(), "tries the next route if middleware wraps the error", router.NewURLRouter(router.Mount("a/", wrapping(x)), router.RePath(`^a/y/$`, here("y"))), "/a/y/", `y "/a/y/" ""`},
		{testkit.Here(), "any application may return ErrNoRoute", router.NewURLRouter(router.Mount("a/", fails(protocol.ErrNoRoute)), router.RePath(`^a/`, here("y"))), "/a/", `y "/a/" ""`},
		{testkit.Here(), "no other error tries the next route", router.NewURLRouter(router.Mount("a/", fails(protocol.NewRejectError(404, "not this"))), router.RePath(`^a/`, here("y"))), "/a/", "404 not this"},
		{testkit.Here(), "RePath is final", router.NewURLRouter(router.RePath(`^\w/`, x), router.RePath(`^a/\w/$`, here("y"))), "/a/y/", notFound("/a/y/")},
		{testkit.Here(), "RePath is final for mounts behind it", router.NewURLRouter(router.RePath(`^\w/`, router.NewURLRouter(router.Mount("b/", x))), router.RePath(`^a/b/\w/$`, here("y"))), "/a/b/y/", notFound("/a/b/y/")},
	}
	for _, row := range rows {
		if got := open(row.urls, row.path); got != row.want {
			t.Errorf("%s: %s: %s, want %s", row.at, row.name, got, row.want)
		}
	}
}

func TestDecision12_NotFoundHintsAtMissingSlash(t *testing.T) {
	t.Parallel()
	inner := router.NewURLRouter(router.RePath(`^x/$`, here("x")))
	rows := []struct {
		at   testkit.Line
		name string
		urls *router.URLRouter
		path string
		want string
	}{
		{testkit.Here(), "a route", router.NewURLRouter(router.RePath(`^ws/(?P<group>\w+)/$`, here("x"))), "/ws/123", hint},
		{testkit.Here(), "a route, with a slash", router.NewURLRouter(router.RePath(`^ws/(?P<group>\w+)$`, here("x"))), "/ws/123/", ""},
		{testkit.Here(), "two slashes", router.NewURLRouter(router.RePath(`^ws//$`, here("x"))), "/ws/", ""},
		{testkit.Here(), "something else as well", router.NewURLRouter(router.RePath(`^ws/(?P<group>\w+)/$`, here("x"))), "/ws/1-3", ""},
		{testkit.Here(), "a mounted router's", router.NewURLRouter(router.Mount("a/", inner)), "/a/x", hint},
		{testkit.Here(), "a mounted router's, through middleware", router.NewURLRouter(router.Mount("a/", opaque(inner))), "/a/x", hint},
		{testkit.Here(), "a router's behind a route", router.NewURLRouter(router.RePath(`^a/`, inner)), "/a/x", hint},
		{testkit.Here(), "one behind a route that nothing gets past", router.NewURLRouter(router.RePath(`^\w/`, inner), router.RePath(`^[ab]/$`, here("y"))), "/a", ""},
		{testkit.Here(), "one's own, before a mounted router that has none", router.NewURLRouter(router.RePath(`^a/y/$`, here("y")), router.Mount("a/", inner)), "/a/y", hint},
		{testkit.Here(), "a mounted router's, before one that has none", router.NewURLRouter(router.Mount("a/", inner), router.Mount("a/", router.NewURLRouter())), "/a/x", hint},
	}
	for _, row := range rows {
		if got, want := open(row.urls, row.path), notFound(row.path)+row.want; got != want {
			t.Errorf("%s: %s: %s, want %s", row.at, row.name, got, want)
		}
	}
}

func TestNotFoundBodyIsPrintable(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/", "", "/two words/", "/<script>alert(1)</script>", `/"quoted"/`, "/a\r\nSet-Cookie: x=y\r\n\r\n", "/\x1b[31mred", "/\xff\xfe", "/\u202e\u200b",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.Path = path
		h, err := router.NewURLRouter(router.RePath(`^somewhere/else/$`, here("x"))).Open(protocol.NewScope("websocket", r))
		var refused *protocol.RejectError
		if h != nil || !errors.As(err, &refused) || !errors.Is(err, protocol.ErrNoRoute) {
			t.Fatalf("%q: %v, want a RejectError that matches ErrNoRoute", path, err)
		}
		if refused.Status != http.StatusNotFound || !strings.Contains(refused.Body, fmt.Sprintf("%q", path)) {
			t.Errorf("%q: refused with %d %q, want 404 and the path in quotes", path, refused.Status, refused.Body)
		}
		if strings.ContainsFunc(refused.Body, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%q: the text %q has characters that do not print", path, refused.Body)
		}
	}
}

func TestNotFoundBodyHasWholePath(t *testing.T) {
	t.Parallel()
	inner := router.NewURLRouter(router.RePath(`^x/$`, here("x")))
	urls := router.NewURLRouter(router.Mount("a/", router.NewURLRouter(router.Mount("b/", inner))))
	for path, want := range map[string]string{
		"/a/b/c/":   notFound("/a/b/c/"),
		"//a/b/c/":  notCanonical("//a/b/c/", emptySegment),
		"/a//b//c/": notCanonical("/a//b//c/", emptySegment),
	} {
		if got := open(urls, path); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestUse(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) protocol.Middleware {
		return func(next protocol.Application) protocol.Application {
			return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
				order = append(order, name)
				return next.Open(s)
			})
		}
	}
	if got := open(router.Use(here("app"), note("a"), note("b"), note("c")), "/x"); got != `app "" "/x"` {
		t.Errorf("the application behind it says %s", got)
	}
	if got := strings.Join(order, " "); got != "a b c" {
		t.Errorf("the middleware runs in the order %s, want the first outermost", got)
	}
	if got := open(router.Use(here("app")), "/x"); got != `app "" "/x"` {
		t.Errorf("without middleware the application says %s", got)
	}
}

// TestNotFoundBodyIsBounded checks the length of the body for a path that quoting makes four
// times as long.
func TestNotFoundBodyIsBounded(t *testing.T) {
	t.Parallel()
	if got := open(router.NewURLRouter(), "/"+strings.Repeat("\x01", 16<<10)); len(got) > 1<<10 {
		t.Errorf("a body of %d bytes", len(got))
	}
}
