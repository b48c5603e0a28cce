package plumbing

import "slices"

// Place is how far routers have come in the path of a connection.
type Place struct {
	RootPath string   // what routes have matched
	Path     string   // what is left of it
	Route    string   // the patterns of the routes, joined
	Params   []Param  // a later one of the same name replaces an earlier one
	Args     []string // what groups captured that have no name
	Mounted  bool     // one of the routes was a mount
	Routed   bool     // there was a route
}

// Param is a captured part of a path.
type Param struct{ Name, Value string }

// Match is what a route has found in a path.
type Match struct {
	Route  string   // the route's pattern, as it was written
	Taken  string   // the beginning of Scope.Path, up to where the route matched
	Rest   string   // what is left of it
	Params []Param  // what named groups captured
	Args   []string // what groups captured that have no name
	Mount  bool     // ErrNoRoute from the application means that the next route is tried
}

// Found is the route that a router has found.
type Found struct {
	Router   any    // the router
	Path     string // what it has routed
	Route    int    // its number there
	NotFound error  // the best answer of routes before it, or nil

	Next *Found // of another router, or another place
}

// GoOn changes p to the place behind m. Parameters and Args follow those of outer
// routers. The slices of m must not be changed afterwards.
func (p *Place) GoOn(m *Match) {
	p.RootPath, p.Path = p.RootPath+m.Taken, m.Rest
	p.Route += m.Route
	p.Params = concat(p.Params, m.Params)
	p.Args = concat(p.Args, m.Args)
	p.Mounted, p.Routed = p.Mounted || m.Mount, true
}

// concat returns a followed by b, and changes neither.
func concat[T any](a, b []T) []T {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return b
	}
	return slices.Concat(a, b)
}
