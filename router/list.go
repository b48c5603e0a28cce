package router

import "iter"

// RouteInfo is a route as it is listed.
type RouteInfo struct {
	Pattern string // with those of the mounts and routes in front, as in protocol.Scope.Route
	Name    string // as URLFor takes it; "" if it has none
	Place   string // where in the program it was made, "file:line"
	Mount   bool   // it is a mount, of an application that lists no routes of its own
}

// Routes are the routes in their order, with those of routers behind them in the
// place of these, for a program that prints what it serves:
//
//	for r := range urls.Routes() {
//		fmt.Println(r.Pattern, r.Name, r.Place)
//	}
func (u *URLRouter) Routes() iter.Seq[RouteInfo] {
	return func(yield func(RouteInfo) bool) { u.list("", "", yield) }
}

// list yields the routes behind pattern and name, until yield says stop.
func (u *URLRouter) list(pattern, name string, yield func(RouteInfo) bool) bool {
	for i := range u.routes {
		r := &u.routes[i]
		info := RouteInfo{Pattern: pattern + r.source, Place: r.at, Mount: r.mounted}
		inner, nested := routerOf(r.app)
		if r.name != "" {
			info.Name = name + r.name
		}
		switch {
		case nested && r.name != "":
			if !inner.list(info.Pattern, info.Name+":", yield) {
				return false
			}
		case nested:
			if !inner.list(info.Pattern, name, yield) {
				return false
			}
		case !yield(info):
			return false
		}
	}
	return true
}
