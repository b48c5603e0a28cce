package routing

import (
	"fmt"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// form is a way to write the routes r0/<slug:x>/, r1/<slug:x>/, ...
type form struct {
	name string
	// route makes the route i.
	route func(i int, app protocol.Application) []router.Route
	// deep says that the routes stand behind mounts, ten to each router.
	deep bool
}

func forms() []form {
	re := func(format string) func(int, protocol.Application) []router.Route {
		return func(i int, app protocol.Application) []router.Route {
			return []router.Route{router.RePath(fmt.Sprintf(format, i), app)}
		}
	}
	return []form{
		{name: "path", route: path},
		{name: "repath", route: re(`^r%d/(?P<x>[-\w]+)/$`)},                 // the same, and as fast
		{name: "regexp", route: re(`^r%d/(?P<x>[a-z\d]+(?:-[a-z\d]+)*)/$`)}, // of which regexp has to run one
		{name: "unanchored", route: re(`r%d/(?P<x>[-\w]+)/`)},               // all of which are tried
		{name: "mixed", route: mixed},
		{name: "mount", route: mount},
		{name: "nested", route: path, deep: true},
	}
}

func path(i int, app protocol.Application) []router.Route {
	return []router.Route{router.Path(pathPattern(i), app)}
}

func pathPattern(i int) string { return fmt.Sprintf("r%d/<slug:x>/", i) }

// mixed are routes of which every hundredth has an unanchored one behind it.
func mixed(i int, app protocol.Application) []router.Route {
	routes := path(i, app)
	if i%100 == 99 {
		routes = append(routes, router.RePath(fmt.Sprintf(`other%d/(?P<x>[-\w]+)/`, i), app))
	}
	return routes
}

// mount are mounts with the parameter, and a router behind each.
func mount(i int, app protocol.Application) []router.Route {
	return []router.Route{router.Mount(pathPattern(i), router.NewURLRouter(router.Path("", app)))}
}

// patterns are what places are taken from.
func (f *form) patterns(n int) []string {
	all := make([]string, n)
	for i := range all {
		if f.deep {
			all[i] = fmt.Sprintf("a%d/b%d/%s", i/100, i/10%10, pathPattern(i%10))
		} else {
			all[i] = pathPattern(i)
		}
	}
	return all
}

func (f *form) urls(n int, s *seen) *router.URLRouter {
	if f.deep {
		return f.nested(n, s)
	}
	var routes []router.Route
	for i := range n {
		routes = append(routes, f.route(i, app(i, "x", s))...)
	}
	return router.NewURLRouter(routes...)
}

// nested are three routers behind each other: a0/ to a9/, in each b0/ to b9/, in
// each r0/<slug:x>/ to r9/<slug:x>/.
func (f *form) nested(n int, s *seen) *router.URLRouter {
	const each = 10
	var outer, middle, inner []router.Route
	for i := range n {
		inner = append(inner, f.route(i%each, app(i, "x", s))...)
		if len(inner) == each || i == n-1 {
			middle = append(middle, router.Mount(fmt.Sprintf("b%d/", len(middle)), router.NewURLRouter(inner...)))
			inner = nil
		}
		if len(middle) == each || i == n-1 {
			outer = append(outer, router.Mount(fmt.Sprintf("a%d/", len(outer)), router.NewURLRouter(middle...)))
			middle = nil
		}
	}
	return router.NewURLRouter(outer...)
}
