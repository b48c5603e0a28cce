package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

type person struct{ name string }

var errDown = errors.New("the database is down")

// byHeader authenticates the user that a header names.
func byHeader(ctx context.Context, s *protocol.Scope) (*person, error) {
	if ctx.Value(personKey{}) != "request" {
		return nil, errors.New("the context does not have the values of the request's context")
	}
	switch name := s.Header().Get("Who"); name {
	case "":
		return nil, router.ErrUnauthenticated
	case "anonymous":
		return nil, nil //nolint:nilnil // an anonymous user
	case "mallory":
		return nil, fmt.Errorf("%w: %s is banned", router.ErrForbidden, name)
	case "teapot":
		return nil, &protocol.RejectError{Status: http.StatusTeapot, Err: router.ErrUnauthenticated}
	case "slow":
		return nil, fmt.Errorf("asking: %w", context.DeadlineExceeded)
	case "broken":
		return nil, errDown
	default:
		return &person{name}, nil
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	app := protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		p, ok := protocol.UserAs[*person](s)
		_, other := protocol.UserAs[string](s)
		return nil, protocol.NewRejectError(http.StatusOK+300, fmt.Sprintf("%v, %t, %t", p, ok, other))
	})
	guarded := router.Use(router.NewURLRouter(router.Path("ws/", app)), router.Auth(byHeader))
	rows := []struct {
		at        testkit.Line
		who       string
		status    int
		body      string
		challenge string
		cause     error // in the chain of the error
	}{
		{testkit.Here(), "ann", 500, "&{ann}, true, false", "", nil},
		{testkit.Here(), "anonymous", 500, "<nil>, false, false", "", nil},
		{testkit.Here(), "", 401, "log in first", "Bearer", router.ErrUnauthenticated},
		{testkit.Here(), "mallory", 403, "Forbidden", "", router.ErrForbidden},
		{testkit.Here(), "teapot", 418, "I'm a teapot", "", router.ErrUnauthenticated},
		{testkit.Here(), "slow", 503, "Service Unavailable", "", context.DeadlineExceeded},
		{testkit.Here(), "broken", 500, "Internal Server Error", "", errDown},
	}
	for _, row := range rows {
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), personKey{}, "request"), http.MethodGet, "/ws/", nil)
		r.Header.Set("Who", row.who)
		_, err := guarded.Open(protocol.NewScope("websocket", r))
		got := protocol.AsRejectError(err)
		if got.Status != row.status || got.Body != row.body || got.Header.Get("Www-Authenticate") != row.challenge {
			t.Errorf("%s: %d %q %v, want %d %q and the challenge %q", row.at, got.Status, got.Body, got.Header, row.status, row.body, row.challenge)
		}
		if row.cause != nil && !errors.Is(err, row.cause) {
			t.Errorf("%s: %v, want %v in it", row.at, err, row.cause)
		}
	}
	wantAll(t, testkit.Here(), panicOf(func() { router.Auth[int](nil) }), "wye: router.Auth", "nil")
}

type personKey struct{}

// TestAuthIsAfterRouting checks that Find answers for the router behind Auth, without
// calling the authenticator.
func TestAuthIsAfterRouting(t *testing.T) {
	t.Parallel()
	guard := router.Auth(func(context.Context, *protocol.Scope) (int, error) { return 0, router.ErrUnauthenticated })
	urls := router.NewURLRouter(
		router.Mount("a/", router.Use(router.NewURLRouter(router.Path("x/", here("x"))), guard)),
		router.Path("<slug:a>/", router.Use(here("y"), guard)),
	)
	for path, found := range map[string]bool{"/a/x/": true, "/a/y/": false, "/b/": true, "/b": false} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		for _, app := range []protocol.Application{urls, router.Use(urls, guard), guard(urls)} {
			err := app.(scopes.Finder).Find(protocol.NewScope("websocket", r))
			if (err == nil) != found || err != nil && !errors.Is(err, protocol.ErrNoRoute) {
				t.Errorf("%s: Find says %v, want found: %v", path, err, found)
			}
		}
	}
}

// TestAuthOfMountIsForItsRoutes checks that Auth in front of a mounted router does not
// authenticate, and does not refuse, a path that only the next route matches.
func TestAuthOfMountIsForItsRoutes(t *testing.T) {
	t.Parallel()
	calls := 0
	authenticate := func(context.Context, *protocol.Scope) (string, error) {
		calls++
		return "", router.ErrUnauthenticated
	}
	urls := router.NewURLRouter(
		router.Mount("", router.Use(router.NewURLRouter(router.Path("admin/", here("admin"))), router.Auth(authenticate))),
		router.Path("public/", here("public")),
	)
	if got, want := open(urls, "/public/"), `public "/public/" ""`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if calls != 0 {
		t.Errorf("the authenticator of the mounted router was called %d times", calls)
	}
	if got, want := open(urls, "/admin/"), "401 log in first"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
