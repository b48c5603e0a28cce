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

// twoWays is depth routers within each other, each with two ways to the next, and
// counts how often a way is tried.
func twoWays(depth int, tried *int, middleware ...protocol.Middleware) *router.URLRouter {
	types := router.Converters{"any": {Expr: `[^/]+`, Check: func(string) error { *tried++; return nil }}}
	urls := router.NewURLRouter(router.Path("end/", here("end")))
	for range depth {
		inner := router.Use(urls, middleware...)
		urls = router.NewURLRouter(types.Mount("<any:a>/", inner), types.Mount("<any:b>/", inner))
	}
	return urls
}

// TestBranchesAreBounded: twenty mounts with two ways each have a million branches,
// for a path of some forty bytes.
func TestBranchesAreBounded(t *testing.T) {
	t.Parallel()
	const depth = 20
	rows := []struct {
		at         testkit.Line
		name       string
		path       string
		middleware []protocol.Middleware
		hides      bool  // Find does not get through the middleware
		want       error // nil: it is found
	}{
		{testkit.Here(), "the first way", "/" + strings.Repeat("a/", depth) + "end/", nil, false, nil},
		{testkit.Here(), "no way", "/" + strings.Repeat("a/", depth), nil, false, plumbing.ErrBranches},
		{testkit.Here(), "no way, without a slash", "/" + strings.Repeat("a/", depth) + "en", nil, false, plumbing.ErrBranches},
		{testkit.Here(), "a slash is missing", "/" + strings.Repeat("a/", depth) + "end", nil, false, plumbing.ErrBranches},
		{testkit.Here(), "no way, behind middleware", "/" + strings.Repeat("a/", depth), []protocol.Middleware{plainly}, true, plumbing.ErrBranches},
		{testkit.Here(), "no way, behind middleware that can be asked", "/" + strings.Repeat("a/", depth), []protocol.Middleware{wraps}, false, plumbing.ErrBranches},
		{testkit.Here(), "few ways", "/" + strings.Repeat("a/", 5), nil, false, protocol.ErrNoRoute},
	}
	for _, row := range rows {
		tried := 0
		urls := twoWays(depth, &tried, row.middleware...)
		if strings.Count(row.path, "/") < depth {
			urls = twoWays(5, &tried)
		}
		s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, row.path, nil))
		open := func() error { _, err := urls.Open(s); return err }
		asks := []func() error{open, open} // each has all the branches
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
				t.Errorf("%s: %s: %v, although there are few", row.at, row.name, err)
			}
			// The last try of each router is one that is refused.
			if most := plumbing.MaxBranches + 2*depth; tried > most {
				t.Errorf("%s: %s: %d tries, want no more than %d", row.at, row.name, tried, most)
			}
		}
	}
}

func wraps(next protocol.Application) protocol.Application { return protocol.Wrap(next, next.Open) }

// TestNothingIsOpenedBehindTooManyBranches: what stands after the branches that were
// left out may be meant for paths that none of these matches.
func TestNothingIsOpenedBehindTooManyBranches(t *testing.T) {
	t.Parallel()
	for _, cover := range []protocol.Middleware{plainly, wraps, func(next protocol.Application) protocol.Application { return next }} {
		tried := 0
		urls := router.NewURLRouter(
			router.Mount("", cover(twoWays(20, &tried))),
			router.Mount("", here("second")),
			router.Path("<path:all>", here("third")),
		)
		got := open(urls, "/"+strings.Repeat("a/", 20))
		if want := fmt.Sprintf("%d branches of the routers were tried", plumbing.MaxBranches); !strings.HasPrefix(got, "404 ") || !strings.Contains(got, want) {
			t.Errorf("got %s, want 404 with %q", got, want)
		}
	}
}
