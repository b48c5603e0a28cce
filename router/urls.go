package router

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// URLRouter is an Application that passes each connection to the first of its routes
// that matches the path. Make it with [NewURLRouter]. All methods are safe for
// concurrent use.
//
// The time to find a route does not depend on the number of routes, because an index
// excludes those that cannot match. The router tries one by one what it cannot exclude:
//
//   - expressions of [RePath] that do not begin with ^;
//   - routes that differ only behind a parameter of the same segment ("<slug:x>-1/" and
//     "<slug:x>-2/"), or behind one that may hold slashes ("<path:x>/1/");
//   - expressions that ignore case.
//
// A thousand such routes cost a path of usual length between 0.1 and 1 ms.
type URLRouter struct {
	routes []Route
	index  *index
	names  map[string]Route // by the name that URLFor takes, with the routes of nested routers
}

var _ scopes.Finder = (*URLRouter)(nil)

// NewURLRouter returns a router that tries the routes in order. It panics, with the file
// and line of both routes, if a route can never be reached because a route before it
// matches the same paths, or if two routes have the same name. See the Example.
func NewURLRouter(routes ...Route) *URLRouter {
	u := &URLRouter{routes: slices.Clone(routes), index: &index{}}
	for i := range u.routes {
		r := &u.routes[i]
		if r.expression == nil {
			panic(fmt.Sprintf("wye: router.NewURLRouter: route %d is empty; make routes with RePath, Path or Mount", i+1))
		}
		u.index.insert(&r.shape, i)
	}
	if c, found := findConflict(u.routes, u.index); found {
		panic(fmt.Sprintf("wye: router.NewURLRouter: %v can never be reached: %s %v; %s",
			u.routes[c.hidden], c.reason, u.routes[c.by], conflictAdvice(&u.routes[c.by])))
	}
	u.names = u.routeNames()
	return u
}

// conflictAdvice returns what the program can do if the route by hides another one.
func conflictAdvice(by *Route) string {
	if _, nested := routerOf(by.app); nested {
		return "change their order, or use Mount for the first one, so that a path that its router does not know goes to the next route"
	}
	return "change their order, or remove one of them"
}

// routeNames returns the routes that have names, by the name that URLFor takes. It panics
// if two routes have the same name.
func (u *URLRouter) routeNames() map[string]Route {
	all := map[string]Route{}
	add := func(name string, r Route) {
		if first, twice := all[name]; twice {
			panic(fmt.Sprintf("wye: router.NewURLRouter: two routes have the name %q: %v and %v; rename one, or give the mounts names",
				name, first, r))
		}
		all[name] = r
	}
	for i := range u.routes {
		r := &u.routes[i]
		if r.name != "" {
			add(r.name, *r)
		}
		inner, nested := routerOf(r.app)
		if !nested {
			continue
		}
		for name, target := range inner.names {
			if r.name != "" {
				name = r.name + ":" + name
			}
			add(name, target)
		}
	}
	return all
}

// Open opens the application of the first route that matches the path. The scope that the
// application gets has the route's parameters and the rest of the path. If a mounted
// application returns protocol.ErrNoRoute, Open tries the next route.
//
// The error matches protocol.ErrNoRoute, which refuses the connection with 404, if
//
//   - no route matches; the text says so if only the final slash is missing;
//   - the path is not canonical (see protocol.Scope.RoutePath);
//   - a thousand matching routes have been tried, as can happen with mounts in mounts.
//
// Any other error is the application's.
func (u *URLRouter) Open(s *protocol.Scope) (protocol.Handler, error) {
	path, err := pathOf(s)
	if err != nil {
		return nil, notFoundBecause(s, err)
	}
	var t search
	u.start(&t, s, path)
	for {
		r, inner, err := u.next(s, path, &t)
		if err != nil {
			return nil, err
		}
		h, err := r.open(inner)
		if !r.isNotFound(err) {
			return h, err
		}
		t.notFound = betterNotFound(t.notFound, err)
	}
}

// Find returns nil if a route matches the path, and otherwise the error that Open would
// return. It opens no application. It asks the application of a route if that has
// a Find method; any other application counts as found.
func (u *URLRouter) Find(s *protocol.Scope) error {
	path, err := pathOf(s)
	if err != nil {
		return notFoundBecause(s, err)
	}
	t := search{finding: true}
	u.start(&t, s, path)
	for {
		r, inner, err := u.next(s, path, &t)
		if err != nil {
			return err
		}
		if r.finder != nil {
			err = r.finder.Find(inner)
		}
		if !r.isNotFound(err) {
			u.remember(s, path, &t, err)
			return err
		}
		t.notFound = betterNotFound(t.notFound, err)
	}
}

// search is the state of a router that tries its routes for one path.
type search struct {
	finding  bool  // no application is opened
	last     int   // the route that was tried last; -1 at first
	known    int   // the route to try first, because Find has found it; -1 if there is none
	searched bool  // rest is set
	rest     []int // the candidates behind last
	tried    int   // candidates so far
	notFound error // the best answer of the routes that were tried, or nil
}

// start starts a search. It begins where Find, which a protocol asks before Open, has
// found a route.
func (u *URLRouter) start(t *search, s *protocol.Scope, path routePath) {
	t.last, t.known = -1, -1
	if f := scopes.Found(s, u, path.form); f != nil {
		t.known, t.notFound = f.Route, f.NotFound
	}
}

// remember has the next search for path begin with the route that Find has found, if that
// spares it other routes.
func (u *URLRouter) remember(s *protocol.Scope, path routePath, t *search, err error) {
	if err == nil && t.tried > 1 {
		scopes.SetFound(s, &plumbing.Found{Router: u, Path: path.form, Route: t.last, NotFound: t.notFound})
	}
}

// next returns the next route that matches path, and the scope for its application; or
// the refusal if there is none. The scope is nil if t is finding and the application is
// no Finder, so that it counts as found.
//
// Applications are opened deep in the stack of net/http's goroutine, which is small. So
// the buffers of the search are in a function that has returned by then.
func (u *URLRouter) next(s *protocol.Scope, path routePath, t *search) (*Route, *protocol.Scope, error) {
	var b matchBuffers
	var candidates []int
	switch {
	case t.known >= 0:
		candidates = append(b.candidates[:0], t.known)
	case t.searched:
		candidates = t.rest
	default:
		candidates = u.candidates(path, b.candidates[:0])
	}
	for k, i := range candidates {
		if i <= t.last {
			continue
		}
		t.tried++
		r := &u.routes[i]
		spans := r.match(path, b.spans[:0])
		if spans == nil {
			continue
		}
		if err := scopes.TryBranch(s); err != nil {
			return nil, nil, notFoundBecause(s, err)
		}
		t.last, t.rest, t.searched = i, nil, t.known < 0
		t.known = -1
		if left := candidates[k+1:]; r.mounted && len(left) > 0 { // otherwise the answer of r is final
			t.rest = append(make([]int, 0, len(left)), left...)
		}
		if t.finding && r.finder == nil {
			return r, nil, nil
		}
		inner := r.scope(s, path, spans)
		return r, inner, nil
	}
	if t.known >= 0 { // a Converter's Check has changed its mind
		*t = search{finding: t.finding, last: -1, known: -1}
		return u.next(s, path, t)
	}
	return nil, nil, betterNotFound(t.notFound, notFound(s, u.missesSlash(path, s)))
}

// matchBuffers are on the stack of next and hasRoute, and large enough for most paths.
type matchBuffers struct {
	candidates [16]int // routes
	spans      [16]int // of a match
}

// candidates returns the routes that may match path, in the order of the router. It uses
// buf if that is large enough.
func (u *URLRouter) candidates(path routePath, buf []int) []int {
	found := u.index.find(path.form, buf)
	slices.Sort(found)
	return found
}

// missesSlash reports whether path, to which no route leads, would have a route with a
// final slash.
func (u *URLRouter) missesSlash(path routePath, s *protocol.Scope) bool {
	return !strings.HasSuffix(path.form, "/") && u.hasRoute(path.withFinalSlash(), s)
}

// hasRoute reports whether a route matches path, without opening anything. Behind a mount
// it looks only into a URLRouter. It gives up when s has no branches left to try.
func (u *URLRouter) hasRoute(path routePath, s *protocol.Scope) bool {
	path = path.withoutLeadingSlash()
	var b matchBuffers
	for _, i := range u.candidates(path, b.candidates[:0]) {
		r := &u.routes[i]
		spans := r.match(path, b.spans[:0])
		if spans == nil {
			continue
		}
		if scopes.TryBranch(s) != nil {
			return false
		}
		inner, nested := routerOf(r.app)
		switch {
		case nested && inner.hasRoute(path.from(spans[1]), s):
			return true
		case !r.mounted:
			return !nested // the answer of this route is final
		}
	}
	return false
}

// scope returns the scope for the application behind the route, which matches the spans
// of path. path is the end of s.Path.
func (r *Route) scope(s *protocol.Scope, path routePath, spans []int) *protocol.Scope {
	m := plumbing.Match{Route: r.source, Mount: r.mounted}
	end := spans[1]
	m.Taken, m.Rest = s.Path()[:len(s.Path())-len(path.decoded)+end], path.decoded[end:]
	r.capture(&m, path.decoded, spans)
	return scopes.WithRoute(s, &m)
}

// capture sets what the groups have captured in path, and the route's own parameters.
func (r *Route) capture(m *plumbing.Match, path string, spans []int) {
	m.Params = append(r.params(path, spans, len(r.extra)), r.extra...)
	m.Args = r.args(path, spans)
}

// open opens the application behind the route. If that is mounted middleware in front of
// a Finder, open asks the Finder first: for a path that is not found there, middleware
// such as Auth must not run, or it would refuse what the next route serves. A URLRouter
// without middleware is not asked, because its Open begins with the same search.
func (r *Route) open(s *protocol.Scope) (protocol.Handler, error) {
	if r.mounted && r.finder != nil {
		if _, isRouter := r.app.(*URLRouter); !isRouter {
			if err := r.finder.Find(s); errors.Is(err, protocol.ErrNoRoute) {
				return nil, err
			}
		}
	}
	h, err := r.app.Open(s)
	scopes.Taken(s, !r.isNotFound(err))
	return h, err
}

// isNotFound reports whether err, the answer of the route's application, lets the router
// try its next route.
func (r *Route) isNotFound(err error) bool {
	return r.mounted && err != nil && errors.Is(err, protocol.ErrNoRoute)
}

// routerOf returns app, without middleware that Use has added, if that is a URLRouter.
func routerOf(app protocol.Application) (*URLRouter, bool) {
	for {
		w, ok := app.(*wrapped)
		if !ok {
			break
		}
		app = w.inner
	}
	u, ok := app.(*URLRouter)
	return u, ok
}
