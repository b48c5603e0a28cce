package router

import "iter"

// RouteInfo describes one route of a [URLRouter]. See [URLRouter.Routes].
type RouteInfo struct {
	Pattern string // the route's pattern, behind the patterns of the routes that lead to its router; see protocol.Scope.Route
	Name    string // the name as URLFor takes it, or "" if the route has none
	Place   string // the "file:line" of the program that made the route
	Mount   bool   // the route is a Mount of an application that is not a URLRouter
}

// Routes returns an iterator over all routes, in the order in which they are tried. A
// route that leads to another URLRouter is replaced by the routes of that router.
// A program can print what it serves:
//
//	for r := range urls.Routes() {
//		fmt.Println(r.Pattern, r.Name, r.Place)
//	}
func (u *URLRouter) Routes() iter.Seq[RouteInfo] {
	return func(yield func(RouteInfo) bool) { u.yieldRoutes("", "", yield) }
}

// yieldRoutes yields the routes of a router that pattern and name lead to. It reports
// whether yield wants more.
func (u *URLRouter) yieldRoutes(pattern, name string, yield func(RouteInfo) bool) bool {
	for i := range u.routes {
		r := &u.routes[i]
		info := RouteInfo{Pattern: pattern + r.source, Place: r.place, Mount: r.mounted}
		inner, nested := routerOf(r.app)
		if r.name != "" {
			info.Name = name + r.name
		}
		switch {
		case nested && r.name != "":
			if !inner.yieldRoutes(info.Pattern, info.Name+":", yield) {
				return false
			}
		case nested:
			if !inner.yieldRoutes(info.Pattern, name, yield) {
				return false
			}
		case !yield(info):
			return false
		}
	}
	return true
}
