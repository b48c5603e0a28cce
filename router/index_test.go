package router

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

func openNothing(*protocol.Scope) (protocol.Handler, error) { return nil, nil } //nolint:nilnil // the result is not used

// TestIndexExcludesRoutes checks that, of a thousand routes, the candidates for a path are
// the route that matches it, at most one more, and all routes that are not anchored, in
// the order of the router.
func TestIndexExcludesRoutes(t *testing.T) {
	t.Parallel()
	app := protocol.ApplicationFunc(openNothing)
	path := func(i int) Route { return Path(fmt.Sprintf("r%d/<slug:x>/", i), app) }
	repath := func(i int) Route { return RePath(fmt.Sprintf(`^r%d/(?P<x>\w+)/$`, i), app) }
	mount := func(i int) Route { return Mount(fmt.Sprintf("r%d/<int:x>/", i), app) }
	rows := []struct {
		at    testkit.Line
		route func(i int) Route
		path  string // with the number of the route for %d
		every int    // behind each so many routes is one that is not anchored; 0 for none
	}{
		{testkit.Here(), func(i int) Route { return Path(fmt.Sprintf("r%d/list/", i), app) }, "r%d/list/", 0},
		{testkit.Here(), path, "r%d/7/", 0},
		{testkit.Here(), func(i int) Route { return Path(fmt.Sprintf("api/<int:id>/thing%d/edit/", i), app) }, "api/7/thing%d/edit/", 0},
		{testkit.Here(), func(i int) Route { return Path(fmt.Sprintf("<a>/<b>/thing%d", i), app) }, "7/8/thing%d", 0},
		{testkit.Here(), repath, "r%d/7/", 0},
		{testkit.Here(), func(i int) Route { return RePath(fmt.Sprintf(`^r%d/(?:a|b|7)/(\d{4})?$`, i), app) }, "r%d/7/", 0},
		{testkit.Here(), func(i int) Route { return Mount(fmt.Sprintf("r%d/", i), app) }, "r%d/7/", 0},
		{testkit.Here(), mount, "r%d/7/", 0},
		{testkit.Here(), func(i int) Route { return Mount(fmt.Sprintf("<x>/r%d/", i), app) }, "7/r%d/8", 0},
		{testkit.Here(), func(i int) Route { return []func(int) Route{path, repath, mount}[i%3](i) }, "r%d/7/", 100},
	}
	for _, row := range rows {
		urls, places, loose := routerWith(testkit.Count(1000, 200), app, row.route, row.every)
		for i, place := range places {
			at := fmt.Sprintf(row.path, i)
			got := urls.candidates(plainPath(at), nil)
			if n := len(got) - len(loose); n > 2 || !slices.Contains(got, place) {
				t.Fatalf("%s: %s: %d anchored candidates, want 1 or 2, with route %d", row.at, at, n, place)
			}
			if !slices.IsSorted(got) || !contains(got, loose) {
				t.Fatalf("%s: %s: candidates %d, want %d among them, in order", row.at, at, got, loose)
			}
			if urls.routes[place].match(plainPath(at), nil) == nil {
				t.Fatalf("%s: %s does not match, so the row tests nothing", row.at, at)
			}
		}
		if got := urls.candidates(plainPath("elsewhere/"), nil); !slices.Equal(got, loose) {
			t.Errorf("%s: elsewhere/: candidates %d, want only the routes that are not anchored, %d", row.at, got, loose)
		}
	}
}

// routerWith returns a router with n routes and, behind each so many of them, one that is
// not anchored; and the indices of both in the router.
func routerWith(n int, app protocol.Application, route func(int) Route, every int) (urls *URLRouter, places, loose []int) {
	var routes []Route
	for i := range n {
		places = append(places, len(routes))
		routes = append(routes, route(i))
		if every > 0 && i%every == every/2 {
			loose = append(loose, len(routes))
			routes = append(routes, RePath(fmt.Sprintf(`other%d/`, i), app))
		}
	}
	return NewURLRouter(routes...), places, loose
}

// contains reports whether list has all elements of some.
func contains(list, some []int) bool {
	return !slices.ContainsFunc(some, func(i int) bool { return !slices.Contains(list, i) })
}

// TestAllocLastOfThousand checks that Open of the last of a thousand routes allocates the
// scope and what is captured, and that Find allocates nothing.
func TestAllocLastOfThousand(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates too")
	}
	app := protocol.ApplicationFunc(openNothing)
	rows := []struct {
		at       testkit.Line
		route    func(i int) Route
		path     string
		open     float64
		findOnly float64
	}{
		{testkit.Here(), func(i int) Route { return Path(fmt.Sprintf("r%d/list/", i), app) }, "/r999/list/", 1, 0},
		{testkit.Here(), func(i int) Route { return Path(fmt.Sprintf("r%d/<slug:x>/<int:y>/", i), app) }, "/r999/lobby/7/", 2, 0},
		{testkit.Here(), func(i int) Route { return RePath(fmt.Sprintf(`^r%d/(\w+)/(\d+)/$`, i), app) }, "/r999/lobby/7/", 2, 0},
		{testkit.Here(), func(i int) Route { return Path(fmt.Sprintf("r%d/list/", i), app).With("x", "y") }, "/r999/list/", 2, 0},
		{testkit.Here(), func(i int) Route { // a scope for each router, and the pattern and path that lead to the second
			return Mount(fmt.Sprintf("r%d/", i), NewURLRouter(Path("list/", app)))
		}, "/r999/list/", 4, 1},
	}
	for _, row := range rows {
		urls, _, _ := routerWith(1000, app, row.route, 100)
		s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), "GET", row.path, nil))
		scopes.Taken(s, true) // so that the first route is kept, and rows do not depend on the order of calls
		if got := testing.AllocsPerRun(200, func() { _, _ = urls.Open(s) }); got != row.open {
			t.Errorf("%s: Open: %v allocations, want %v", row.at, got, row.open)
		}
		if got := testing.AllocsPerRun(200, func() { _ = urls.Find(s) }); got != row.findOnly {
			t.Errorf("%s: Find: %v allocations, want %v", row.at, got, row.findOnly)
		}
	}
}
