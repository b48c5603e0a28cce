package router_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// allocs returns the number of allocations of f. Tests that call it are not parallel, because
// it would count the allocations of other tests.
func allocs(t *testing.T, runs int, f func()) float64 {
	t.Helper()
	if testkit.Race {
		t.Skip("the race detector allocates too")
	}
	return testing.AllocsPerRun(runs, f)
}

func scopeFor(t *testing.T, path string) *protocol.Scope {
	t.Helper()
	return protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
}

// accepts is an application that allocates nothing.
func accepts() protocol.Application {
	return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		return nil, nil
	})
}

// many returns the number of routes of manyRoutes.
func many() int { return testkit.Count(1000, 200) }

// manyRoutes returns a router of many routes. one returns the i-th of them.
func manyRoutes(one func(i int) router.Route) *router.URLRouter {
	var all []router.Route
	for i := range many() {
		all = append(all, one(i))
	}
	return router.NewURLRouter(all...)
}

// TestAllocOpen checks that Open allocates a copy of the scope, the parameters and the
// arguments, wherever the route is in the order.
func TestAllocOpen(t *testing.T) {
	inner := router.NewURLRouter(router.Path("x/<slug:b>/", accepts()))
	rows := []struct {
		at   testkit.Line
		name string
		one  func(i int) router.Route
		path string  // with the number of the route for %d
		want float64 // allocations
	}{
		{testkit.Here(), "no parameters", func(i int) router.Route { return router.Path(fmt.Sprintf("ws/%d/", i), accepts()) }, "/ws/%d/", 1},
		{testkit.Here(), "parameters", func(i int) router.Route { return router.Path(fmt.Sprintf("ws/%d/<int:a>/<b>/", i), accepts()) }, "/ws/%d/7/x/", 2},
		{testkit.Here(), "parameters first", func(i int) router.Route { return router.Path(fmt.Sprintf("<slug:a>/%d/", i), accepts()) }, "/ws/%d/", 2},
		{testkit.Here(), "a parameter of With as well", func(i int) router.Route {
			return router.Path(fmt.Sprintf("ws/%d/<a>/", i), accepts()).With("b", "c")
		}, "/ws/%d/7/", 2},
		{testkit.Here(), "only a parameter of With", func(i int) router.Route { return router.Path(fmt.Sprintf("ws/%d/", i), accepts()).With("b", "c") }, "/ws/%d/", 2},
		{testkit.Here(), "arguments", func(i int) router.Route { return router.RePath(fmt.Sprintf(`^ws/%d/(\w+)/(\d+)/$`, i), accepts()) }, "/ws/%d/x/7/", 2},
		{testkit.Here(), "a mount", func(i int) router.Route { return router.Mount(fmt.Sprintf("ws/%d/<a>/", i), accepts()) }, "/ws/%d/7/x", 2},
		// The third allocation is the result of package regexp.
		{testkit.Here(), "an expression that is not exact", func(i int) router.Route { return router.RePath(fmt.Sprintf(`^ws/%d/(?P<a>\w+?)/$`, i), accepts()) }, "/ws/%d/x/", 3},
		// Each router allocates a copy of the scope and its parameters. The inner one also
		// joins the two patterns, the two matched parts of the path, and the parameters.
		{testkit.Here(), "a router behind a mount", func(i int) router.Route { return router.Mount(fmt.Sprintf("ws/%d/<a>/", i), inner) }, "/ws/%d/7/x/y/", 2 + 5},
	}
	for _, row := range rows {
		urls := manyRoutes(row.one)
		for _, i := range []int{0, many() / 2, many() - 1} {
			s := scopeFor(t, fmt.Sprintf(row.path, i))
			got := allocs(t, 200, func() {
				if _, err := urls.Open(s); err != nil {
					t.Error(err)
				}
			})
			if got != row.want {
				t.Errorf("%s: %s: route %d of %d: %v allocations, want %v", row.at, row.name, i, many(), got, row.want)
			}
		}
	}
}

// TestAllocFind checks that Find allocates nothing, except for the copy of the scope for a
// mounted router.
func TestAllocFind(t *testing.T) {
	inner := router.NewURLRouter(router.Path("x/<slug:b>/", accepts()))
	routes := manyRoutes(func(i int) router.Route { return router.Path(fmt.Sprintf("ws/%d/<int:a>/<b>/", i), accepts()) })
	mounts := manyRoutes(func(i int) router.Route { return router.Mount(fmt.Sprintf("ws/%d/<a>/", i), inner) })
	rows := []struct {
		at   testkit.Line
		urls *router.URLRouter
		path string
		want float64
	}{
		{testkit.Here(), routes, "/ws/%d/7/x/", 0},
		{testkit.Here(), mounts, "/ws/%d/7/x/y/", 2},
	}
	for _, row := range rows {
		for _, i := range []int{0, many() - 1} {
			s := scopeFor(t, fmt.Sprintf(row.path, i))
			got := allocs(t, 200, func() {
				if err := row.urls.Find(s); err != nil {
					t.Error(err)
				}
			})
			if got != row.want {
				t.Errorf("%s: route %d of %d: %v allocations, want %v", row.at, i, many(), got, row.want)
			}
		}
	}
}

// TestAllocNotFound checks that Open and Find allocate only the refusal, for each router
// that is asked, however long the path is and however many routes there are.
func TestAllocNotFound(t *testing.T) {
	inner := router.NewURLRouter(router.Path("x/<slug:b>/", accepts()))
	routes := manyRoutes(func(i int) router.Route { return router.Path(fmt.Sprintf("ws/%d/<int:a>/<b>/", i), accepts()) })
	mounts := manyRoutes(func(i int) router.Route { return router.Mount(fmt.Sprintf("ws/%d/<a>/", i), inner) })
	at := func(rest string) string { return fmt.Sprintf("/ws/%d/%s", many()-1, rest) } // the last route
	alike := manyRoutes(func(i int) router.Route { return router.RePath(fmt.Sprintf(`^(\w+)-%d/$`, i), accepts()) })
	rows := []struct {
		at   testkit.Line
		urls *router.URLRouter
		path string
		most float64
	}{
		{testkit.Here(), routes, "/", 6},
		{testkit.Here(), routes, at("7/x/y/"), 6},
		{testkit.Here(), routes, at("7/x"), 7},
		{testkit.Here(), routes, "/" + fmt.Sprintf("%01000d", 0), 6},
		{testkit.Here(), alike, "/x", 8}, // the router tries all routes
		{testkit.Here(), mounts, at("7/y/"), 16},
		{testkit.Here(), mounts, at("7/x/y"), 19},
	}
	for _, row := range rows {
		s := scopeFor(t, row.path)
		for name, ask := range map[string]func() error{
			"Open": func() error { _, err := row.urls.Open(s); return err },
			"Find": func() error { return row.urls.Find(s) },
		} {
			got := allocs(t, 200, func() {
				if err := ask(); !errors.Is(err, protocol.ErrNoRoute) {
					t.Error(err)
				}
			})
			if got == 0 || got > row.most {
				t.Errorf("%s: %s: %v allocations, want no more than %v", row.at, name, got, row.most)
			}
		}
	}
}

// TestAllocNewURLRouter checks that the cost of a route does not grow with their number,
// because NewURLRouter does not compare each route with all before it.
func TestAllocNewURLRouter(t *testing.T) {
	rows := []struct {
		at  testkit.Line
		one func(i int) router.Route
	}{
		{testkit.Here(), func(i int) router.Route { return router.RePath(fmt.Sprintf("ws-%d-", i), accepts()) }},
		{testkit.Here(), func(i int) router.Route { return router.Path(fmt.Sprintf("ws/%d/", i), accepts()) }},
		{testkit.Here(), func(i int) router.Route { return router.Path(fmt.Sprintf("ws/%d/<a>/", i), accepts()) }},
		{testkit.Here(), func(i int) router.Route { return router.RePath(fmt.Sprintf(`^(\w*)-%d/$`, i), accepts()) }},
	}
	for _, row := range rows {
		build := func(n int) float64 {
			var routes []router.Route
			for i := range n {
				routes = append(routes, row.one(i))
			}
			return allocs(t, 3, func() { router.NewURLRouter(routes...) }) / float64(n)
		}
		if few, all := build(50), build(many()); all > 2*few {
			t.Errorf("%s: a route of many costs %v allocations, and one of 50 %v", row.at, all, few)
		}
	}
}
