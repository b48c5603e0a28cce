package router

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// Route leads the paths that match it to an application. Routes are arguments of
// [NewURLRouter]. Make them with [RePath], [Path] or [Mount]; the zero Route is not
// valid. A Route is a value: its methods return a changed copy.
type Route struct { //nolint:recvcheck // a value for programs; the router's own methods do not copy it onto the stack
	*expression // nil in the zero Route

	app     protocol.Application
	finder  scopes.Finder // app, if it is one
	place   string        // the "file:line" that made the route
	name    string
	extra   []plumbing.Param
	mounted bool // if app returns ErrNoRoute, the next route is tried
}

// RePath returns a route for the paths that a regular expression matches, like re_path
// in Django:
//
//	router.RePath(`^ws/(?P<group>\w+)/$`, app)
//
// expr has the syntax of package regexp (RE2), and is applied to the path without its
// leading slash. If it ends in $, it must match the whole path. Any other expression is
// searched for anywhere in the path, so begin it with ^; app then sees what follows the
// match as the rest of the path.
//
// What named groups capture, (?P<group>...) or (?<group>...), becomes parameters, which
// [protocol.Scope.Param] returns. If no group has a name, [protocol.Scope.Args] returns
// what the groups capture.
//
// \w matches ASCII letters, digits and _ only, unlike in Python. A slash that the peer
// has written as %2F is not a slash to the expression; see Paths in the package
// documentation.
//
// RePath panics, with the line of the call, if expr does not compile, if it can match no
// path because it begins with a slash, if it has a <name> that is not part of a group,
// or if app is nil.
func RePath(expr string, app protocol.Application) Route {
	place := caller()
	e, err := compileExpr(expr)
	return newRoute("route", e, err, app, place)
}

// Path returns a route for the paths that match a pattern with parameters, like path in
// Django:
//
//	router.Path("ws/<slug:group>/<int:page>/", app)
//
// The pattern must match the whole path, without its leading slash. A parameter is one
// of
//
//	<name>, <str:name>  any text within one segment
//	<int:name>          digits that fit an int64
//	<slug:name>         ASCII letters, digits, - and _
//	<uuid:name>         a UUID in lower case, with its hyphens
//	<path:name>         any text, including slashes
//	<group:name>        a valid name of a group (see layers.ValidName): 1 to 99
//	                    ASCII letters, digits, -, _ and periods
//
// and is never empty. [Converters] adds types. [protocol.Scope.Param] returns a parameter
// as text, [protocol.ParamAs] as another type.
//
// Path panics, with the line of the call, if the pattern is not well-formed or looks
// like a regular expression or like the pattern of another router, or if app is nil.
func Path(pattern string, app protocol.Application) Route {
	place := caller()
	e, err := compilePath(pattern, nil, true)
	return newRoute("route", e, err, app, place)
}

// Mount returns a route for all paths that begin with pattern. app, which is usually
// another [URLRouter], sees the rest of the path. The pattern has the syntax of [Path],
// for example "lobby/" or "shop/<slug:shop>/"; the pattern "" matches all paths.
//
// If app returns protocol.ErrNoRoute, the router tries its next route. This is what
// distinguishes Mount from [Path] and [RePath], whose answer is final. It does not
// depend on what app is, so app may be a router in middleware.
//
// Mount panics as Path does.
func Mount(pattern string, app protocol.Application) Route {
	place := caller()
	e, err := compilePath(pattern, nil, false)
	r := newRoute("mount", e, err, app, place)
	r.mounted = true
	return r
}

// Path is like the function [Path], and knows the types of c as well as the built-in
// ones.
func (c Converters) Path(pattern string, app protocol.Application) Route {
	place := caller()
	e, err := compilePath(pattern, c, true)
	return newRoute("route", e, err, app, place)
}

// Mount is like the function [Mount], and knows the types of c as well as the built-in
// ones.
func (c Converters) Mount(pattern string, app protocol.Application) Route {
	place := caller()
	e, err := compilePath(pattern, c, false)
	r := newRoute("mount", e, err, app, place)
	r.mounted = true
	return r
}

// Name returns a copy of the route with a name, for [URLRouter.URLFor]. The routes of a
// mounted router are known by the name of the mount, a colon, and their own name:
// "lobby:room".
//
// Name panics if name is empty or has a colon. It also panics if no path can be built
// from the route's expression: outside its named groups, an expression may have only
// text, optional parts and alternatives.
func (r Route) Name(name string) Route {
	switch {
	case r.expression == nil:
		panic("wye: router.Route.Name: the route is empty; make routes with RePath, Path or Mount")
	case name == "" || strings.Contains(name, ":"):
		panic(fmt.Sprintf("wye: router.Route.Name: %v: the name %q is empty or has a colon, which separates the names of nested routers",
			r, name))
	}
	if _, err := r.template(); err != nil {
		panic(fmt.Sprintf("wye: router.Route.Name: %v: no path can be built from it, so it cannot have the name %q: %v", r, name, err))
	}
	r.name = name
	return r
}

// With returns a copy of the route that has one more parameter. The parameter replaces
// one that the route captures under the same name. So one application can serve several
// routes and know which one it serves. Django calls such parameters extra options.
//
//	router.Path("ws/news/", app).With("group", "news")
func (r Route) With(name, value string) Route {
	r.extra = append(slices.Clip(r.extra), plumbing.Param{Name: name, Value: value})
	return r
}

// String returns the kind and the pattern of the route, and the file and line that made
// it.
func (r Route) String() string {
	kind := "route"
	if r.mounted {
		kind = "mount"
	}
	if r.expression == nil {
		return "empty " + kind
	}
	return fmt.Sprintf("%s %q (%s)", kind, r.source, r.place)
}

// newRoute returns a route that leads to app. It panics if err, the error of compiling e, is
// not nil, or if app is nil.
func newRoute(kind string, e *expression, err error, app protocol.Application, place string) Route {
	if err != nil {
		panic(fmt.Sprintf("wye: %s %q (%s): %v", kind, e.source, place, err))
	}
	if app == nil {
		panic(fmt.Sprintf("wye: %s %q (%s): the application is nil", kind, e.source, place))
	}
	r := Route{expression: e, app: app, place: place}
	r.finder, _ = app.(scopes.Finder) //nolint:errcheck // nil otherwise
	return r
}

// caller returns the "file:line" that has called the exported function which calls
// caller.
func caller() string {
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s:%d", file, line)
}
