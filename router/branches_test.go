package router_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// doubleMounts returns nested routers, as many as depth, each with two mounts that lead to the
// next one. tried counts how often a mount is tried.
func doubleMounts(depth int, tried *int, middleware ...protocol.Middleware) *router.URLRouter {
	types := router.Converters{"any": {Expr: `[^/]+`, Check: func(string) error { *tried++; return nil }}}
	urls := router.NewURLRouter(router.Path("end/", here("end")))
	for range depth {
		inner := router.Use(urls, middleware...)
		urls = router.NewURLRouter(types.Mount("<any:a>/", inner), types.Mount("<any:b>/", inner))
	}
	return urls
}

// TestBranchesAreBounded uses routers that have a million branches for a path of forty
// bytes, because each of twenty has two mounts that match.
func TestBranchesAreBounded(t *testing.T) {
	t.Parallel()
	const depth = 20
	rows := []struct {
		at         testkit.Line
		name       string
		path       string
		middleware []protocol.Middleware
		hides      bool  // Find does not see through the middleware
		want       error // nil if a route is found
	}{
		{testkit.Here(), "the first branch", "/" + strings.Repeat("a/", depth) + "end/", nil, false, nil},
		{testkit.Here(), "no branch", "/" + strings.Repeat("a/", depth), nil, false, plumbing.ErrBranches},
		{testkit.Here(), "no branch, without a slash", "/" + strings.Repeat("a/", depth) + "en", nil, false, plumbing.ErrBranches},
		{testkit.Here(), "a slash is missing", "/" + strings.Repeat("a/", depth) + "end", nil, false, plumbing.ErrBranches},
		{testkit.Here(), "no branch, behind middleware", "/" + strings.Repeat("a/", depth), []protocol.Middleware{opaque}, true, plumbing.ErrBranches},
		{testkit.Here(), "no branch, behind middleware that is a Finder", "/" + strings.Repeat("a/", depth), []protocol.Middleware{wraps}, false, plumbing.ErrBranches},
		{testkit.Here(), "few branches", "/" + strings.Repeat("a/", 5), nil, false, protocol.ErrNoRoute},
	}
	for _, row := range rows {
		tried := 0
		urls := doubleMounts(depth, &tried, row.middleware...)
		if strings.Count(row.path, "/") < depth {
			urls = doubleMounts(5, &tried)
		}
		s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, row.path, nil))
		open := func() error { _, err := urls.Open(s); return err }
		asks := []func() error{open, open} // each may try all branches
		if !row.hides {
			asks = append(asks, func() error { return urls.Find(s) }, open)
		}
		for _, ask := range asks {
			tried = 0
			err := ask()
			switch refused, _ := errors.AsType[*protocol.RejectError](err); {
			case row.want == nil && errors.Is(err, protocol.ErrNoRoute):
				t.Errorf("%s: %s: %v, want it found", row.at, row.name, err)
			case row.want != nil && (!errors.Is(err, row.want) || refused == nil || refused.Status != http.StatusNotFound):
				t.Errorf("%s: %s: %v, want 404 because of %v", row.at, row.name, err, row.want)
			case !errors.Is(row.want, plumbing.ErrBranches) && errors.Is(err, plumbing.ErrBranches):
				t.Errorf("%s: %s: %v, although there are few branches", row.at, row.name, err)
			}
			// Each router notices only at its next try that no branches are left.
			if most := plumbing.MaxBranches + 2*depth; tried > most {
				t.Errorf("%s: %s: %d tries, want no more than %d", row.at, row.name, tried, most)
			}
		}
	}
}

// wraps is middleware that is a Finder.
func wraps(next protocol.Application) protocol.Application { return protocol.Wrap(next, next.Open) }

// TestNoRouteIsTriedAfterTooManyBranches checks that routes after the branches that were
// not tried are not opened: they may be meant for paths that those branches do not match.
func TestNoRouteIsTriedAfterTooManyBranches(t *testing.T) {
	t.Parallel()
	for _, cover := range []protocol.Middleware{opaque, wraps, func(next protocol.Application) protocol.Application { return next }} {
		tried := 0
		urls := router.NewURLRouter(
			router.Mount("", cover(doubleMounts(20, &tried))),
			router.Mount("", here("second")),
			router.Path("<path:all>", here("third")),
		)
		got := open(urls, "/"+strings.Repeat("a/", 20))
		if want := fmt.Sprintf("%d branches of the routers were tried", plumbing.MaxBranches); !strings.HasPrefix(got, "404 ") || !strings.Contains(got, want) {
			t.Errorf("got %s, want 404 with %q", got, want)
		}
	}
}
