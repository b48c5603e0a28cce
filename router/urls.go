package router

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// URLRouter is an Application that hands a connection to the first of its
// routes that matches the path. Make it with [URLs]. Safe for concurrent use.
//
// The time it takes does not depend on how many routes there are: those that are
// anchored, as all of [Path] and [Mount] are, are found by an index. Others are
// tried one by one, at their place in the order.
type URLRouter struct {
	routes []Route
	index  *index
	names  map[string]int // of routes
}

var _ protocol.Finder = (*URLRouter)(nil)

// URLs returns a router that tries routes in order. It panics, with the lines of
// both, if a route can never be reached because of one before it, or if two
// routes have one name.
func URLs(routes ...Route) *URLRouter {
	u := &URLRouter{routes: slices.Clone(routes), index: &index{}, names: map[string]int{}}
	for i := range u.routes {
		r := &u.routes[i]
		if r.expression == nil {
			panic(fmt.Sprintf("wye: router.URLs: route %d is empty; make routes with RePath, Path or Mount", i+1))
		}
		if first, twice := u.names[r.name]; twice && r.name != "" {
			panic(fmt.Sprintf("wye: two routes have the name %q: %v and %v", r.name, u.routes[first], r))
		}
		u.names[r.name] = i
		u.index.insert(&r.shape, i)
	}
	delete(u.names, "")
	checkReachable(u.routes, u.index)
	return u
}

// Open hands s to the first route that matches, with the route's parameters and
// the rest of the path. All slashes at the beginning of the path are passed over.
// A mounted application that answers with protocol.ErrNoRoute is passed over. If
// none matches the error is protocol.ErrNoRoute, which refuses the connection
// with 404, and says so if only a final slash is missing.
func (u *URLRouter) Open(s *protocol.Scope) (protocol.Handler, error) {
	var w walk
	w.begin(u, s)
	for w.next() {
		inner := w.scope()
		h, err := w.route.app.Open(inner)
		if err == nil {
			inner.Take()
		}
		if w.over(err) {
			return h, err
		}
	}
	return nil, w.noRoute()
}

// Find returns nil if a route matches the path, and what Open returns if none
// does. Nothing is opened; an application that is no protocol.Finder counts as
// found.
func (u *URLRouter) Find(s *protocol.Scope) error {
	var w walk
	w.begin(u, s)
	for w.next() {
		f, ok := w.route.app.(protocol.Finder)
		if !ok {
			return nil
		}
		if err := f.Find(w.scope()); w.over(err) {
			return err
		}
	}
	return w.noRoute()
}

// walk goes through the routes that match a path, in order.
type walk struct {
	urls   *URLRouter
	outer  *protocol.Scope
	path   string // without leading slashes
	may    []int  // routes that may match and have not been looked at
	missed error  // what a mounted router says about there being nothing

	route *Route
	spans []int // what it matches

	mayBuf   [16]int
	spansBuf [16]int
}

func (w *walk) begin(u *URLRouter, s *protocol.Scope) {
	w.urls, w.outer, w.path = u, s, strings.TrimLeft(s.Path, "/")
	w.may = u.index.find(w.path, w.mayBuf[:0])
	slices.Sort(w.may)
}

// next goes to the next route.
func (w *walk) next() bool {
	for len(w.may) > 0 {
		w.route = &w.urls.routes[w.may[0]]
		w.may = w.may[1:]
		if w.spans = w.route.match(w.path, w.spansBuf[:0]); w.spans != nil {
			return true
		}
	}
	return false
}

// scope is the one of the application behind the route.
func (w *walk) scope() *protocol.Scope {
	r, s := w.route, w.outer
	end := w.spans[1]
	return s.WithRoute(protocol.Match{
		Route:  r.source,
		Taken:  s.Path[:len(s.Path)-len(w.path)+end],
		Rest:   w.path[end:],
		Params: append(r.params(w.path, w.spans, len(r.extra)), r.extra...),
		Args:   r.args(w.path, w.spans),
	})
}

// over reports whether err is what the router has to say, and not a mounted
// application's way to say that it is not found there.
func (w *walk) over(err error) bool {
	if err == nil || !w.route.mounted || !errors.Is(err, protocol.ErrNoRoute) {
		return true
	}
	w.missed = moreHelpful(w.missed, err)
	return false
}

func (w *walk) noRoute() error {
	return moreHelpful(w.missed, w.urls.noRoute(w.outer, w.path))
}
