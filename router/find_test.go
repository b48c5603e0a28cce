package router_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// TestFind checks that Find opens no application, and looks into mounted routers.
func TestFind(t *testing.T) {
	t.Parallel()
	opens := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		t.Error("Find opened an application")
		return nil, protocol.ErrNoRoute
	})
	urls := router.NewURLRouter(
		router.RePath(`^chat/(?P<room>\w+)/$`, opens),
		router.Mount("a/", router.NewURLRouter(router.RePath(`^x/$`, opens))),
		router.Mount("a/", router.NewURLRouter(router.RePath(`^y/$`, opens))),
		router.Mount("b/", opaque(router.NewURLRouter())),
		router.RePath(`^r/`, router.NewURLRouter(router.RePath(`^x/$`, opens))),
	)
	rows := []struct {
		at    testkit.Line
		path  string
		found bool
	}{
		{testkit.Here(), "/chat/lobby/", true},
		{testkit.Here(), "/chat/lobby", false},
		{testkit.Here(), "/chat/", false},
		{testkit.Here(), "/a/x/", true},
		{testkit.Here(), "/a/y/", true},
		{testkit.Here(), "/a/z/", false},
		{testkit.Here(), "/b/whatever", true}, // behind middleware that is not a Finder
		{testkit.Here(), "/r/x/", true},
		{testkit.Here(), "/r/y/", false},
		{testkit.Here(), "/", false},
	}
	for _, row := range rows {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, row.path, http.NoBody)
		err := urls.Find(protocol.NewScope("websocket", r))
		if row.found != (err == nil) || err != nil && !errors.Is(err, protocol.ErrNoRoute) {
			t.Errorf("%s: %s: got %v, want found: %v", row.at, row.path, err, row.found)
		}
	}
}
