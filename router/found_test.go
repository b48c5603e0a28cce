package router_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// TestOpenGoesOnWhereFindHasFound counts the checks of parameters: the routes that Find
// has excluded are not tried again, unless the one that it has found matches no longer.
func TestOpenGoesOnWhereFindHasFound(t *testing.T) {
	t.Parallel()
	errNo := errors.New("no")
	for _, row := range []struct {
		at        testkit.Line
		found     int // the route that Find finds
		then      int // the one that matches behind Find
		wantCalls [4]int
	}{
		{testkit.Here(), 0, 0, [4]int{2, 0, 0, 0}},
		{testkit.Here(), 2, 2, [4]int{1, 1, 2, 0}},
		{testkit.Here(), 2, 3, [4]int{2, 2, 3, 1}},
		{testkit.Here(), 2, 1, [4]int{2, 2, 2, 0}},
	} {
		matching := row.found
		var calls [4]int
		var opened string
		types, routes := router.Converters{}, []router.Route(nil)
		for i, name := range []string{"a", "b", "c", "d"} {
			types[name] = router.Converter{Expr: "[a-z]+", Check: func(string) error {
				calls[i]++
				if i != matching {
					return errNo
				}
				return nil
			}}
			routes = append(routes, types.Path("<"+name+":x>/", protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
				opened = s.Route()
				return nil, protocol.ErrNoRoute
			})))
		}
		urls := router.NewURLRouter(routes...)
		s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), "GET", "/lobby/", nil))
		if err := urls.Find(s); err != nil {
			t.Fatalf("%s: Find: %v", row.at, err)
		}
		matching = row.then
		_, err := urls.Open(s)
		if want := "<" + string(rune('a'+row.then)) + ":x>/"; opened != want || !errors.Is(err, protocol.ErrNoRoute) || calls != row.wantCalls {
			t.Errorf("%s: opened %q with %v after %v checks, want %q after %v", row.at, opened, err, calls, want, row.wantCalls)
		}
	}
}
