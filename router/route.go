package router

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// Route is one line of a [URLRouter]. It is made by [RePath], [Path] or [Mount],
// and is a value: the methods return a changed copy.
type Route struct {
	*expression // nil: the zero Route, of which nothing can be made

	app     protocol.Application
	at      string // where in the program
	name    string
	extra   []plumbing.Param
	mounted bool // ErrNoRoute from app means: try the next route
}

// RePath is a route by a regular expression, in Go's syntax (RE2), as re_path
// is in Django. The leading slash is not part of the path. An expression that
// ends in $ must match all of the path; any other is searched for anywhere in
// it, so begin it with ^ as a rule. A %2F in the path is not a slash to the expression:
// see the package documentation. What named groups capture becomes
// parameters, which [protocol.Scope.Param] returns; if there are none, what other
// groups capture becomes [protocol.Scope.Args]:
//
//	router.RePath(`^ws/(?P<group>\w+)/$`, app)   // also (?<group>\w+)
//
// \w matches ASCII letters, digits and _, unlike Python's, which matches
// letters of all languages. An expression that does not compile, that can match
// no path because it begins with a slash, or that has a <name> which is no group,
// and a nil app, panic with the line of the call.
func RePath(expr string, app protocol.Application) Route {
	at := caller()
	e, err := compileExpr(expr)
	return newRoute("route", e, err, app, at)
}

// Path is a route by a path with parameters, as path is in Django. It must match
// all of the path, of which the leading slash is no part:
//
//	router.Path("ws/<slug:group>/<int:page>/", app)
//
// A parameter is one of
//
//	<name>, <str:name>  anything within a segment, of which %2F is a part
//	<int:name>          digits that fit an int64
//	<slug:name>         ASCII letters, digits, - and _
//	<uuid:name>         a UUID in lower case, with its dashes
//	<path:name>         anything, slashes too
//	<group:name>        the name of a group, as layers.ValidName has it: 1 to 99
//	                    ASCII letters, digits, -, _ and periods
//
// and none is empty. [Converters] adds more. [protocol.Scope.Param] returns them
// as text, [protocol.ParamAs] as another type. A pattern that is not well formed,
// or looks like a regular expression, and a nil app, panic with the line of the
// call.
func Path(pattern string, app protocol.Application) Route {
	at := caller()
	e, err := compilePath(pattern, nil, true)
	return newRoute("route", e, err, app, at)
}

// Mount is a route for everything whose path begins with pattern, as a rule to
// another router, which sees the rest of the path. If app answers with
// protocol.ErrNoRoute, the next route is tried. pattern is that of [Path]:
// "lobby/", "shop/<slug:shop>/", or "" for all paths. It is a word of its own, and
// not guessed from what app is, so that app may be wrapped in middleware.
//
// It panics as Path does.
func Mount(pattern string, app protocol.Application) Route {
	at := caller()
	e, err := compilePath(pattern, nil, false)
	r := newRoute("mount", e, err, app, at)
	r.mounted = true
	return r
}

// Name makes the route known to [URLRouter.URLFor]. The name of a mounted router
// stands in front of those in it, with a colon: "lobby:room".
//
// It panics if name is empty or has a colon, or if no path can be made from the
// route's expression: one that leaves open what stands outside its named groups.
func (r Route) Name(name string) Route {
	switch {
	case r.expression == nil:
		panic("wye: Route.Name: the route is empty; make routes with RePath, Path or Mount")
	case name == "" || strings.Contains(name, ":"):
		panic(fmt.Sprintf("wye: %v: the name %q is empty or has a colon, which stands between the names of nested routers", r, name))
	}
	if _, err := r.template(); err != nil {
		panic(fmt.Sprintf("wye: %v: no path can be made from it, so that it cannot have the name %q: %v", r, name, err))
	}
	r.name = name
	return r
}

// With adds a parameter to those that the route captures, in place of one of the
// same name: one application can serve several routes and know which it is. In
// Django these are extra options.
//
//	router.Path("ws/news/", app).With("group", "news")
func (r Route) With(name, value string) Route {
	r.extra = append(slices.Clip(r.extra), plumbing.Param{Name: name, Value: value})
	return r
}

// String names the route and the line that made it.
func (r Route) String() string {
	word := "route"
	if r.mounted {
		word = "mount"
	}
	if r.expression == nil {
		return "empty " + word
	}
	return fmt.Sprintf("%s %q (%s)", word, r.source, r.at)
}

func newRoute(word string, e *expression, err error, app protocol.Application, at string) Route {
	if err != nil {
		panic(fmt.Sprintf("wye: %s %q (%s): %v", word, e.source, at, err))
	}
	if app == nil {
		panic(fmt.Sprintf("wye: %s %q (%s): the application is nil", word, e.source, at))
	}
	return Route{expression: e, app: app, at: at}
}

// caller is where the exported function was called that calls it.
func caller() string {
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s:%d", file, line)
}
