package router

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// Route is one line of a [URLRouter]. It is made by [RePath] or [Mount].
type Route struct {
	expr    *regexp.Regexp
	source  string // as it was written
	app     protocol.Application
	at      string // where in the program
	mounted bool   // ErrNoRoute from app means: try the next route
}

// RePath is a route by a regular expression, in Go's syntax (RE2), as re_path
// is in Django. The leading slash is not part of the path. An expression that
// ends in $ must match all of the path; any other is searched for anywhere in
// it, so begin it with ^ as a rule. Named groups become parameters, which
// [protocol.Scope.Param] returns:
//
//	router.RePath(`^ws/(?P<group>\w+)/$`, app)   // also (?<group>\w+)
//
// \w matches ASCII letters, digits and _, unlike Python's, which matches
// letters of all languages. An expression that does not compile, captures
// nothing where it seems meant to, or a nil app, panics with the line of the
// call.
func RePath(expr string, app protocol.Application) Route {
	at := caller()
	re, err := regexp.Compile(expr)
	switch {
	case err != nil:
		panic(fmt.Sprintf("wye: route %q (%s): %v", expr, at, err))
	case re.NumSubexp() == 0 && misprint.MatchString(expr):
		panic(fmt.Sprintf("wye: route %q (%s) captures nothing; did you mean (?P<name>...)?", expr, at))
	case app == nil:
		panic(fmt.Sprintf("wye: route %q (%s): the application is nil", expr, at))
	}
	if strings.HasSuffix(expr, "$") && !strings.HasSuffix(expr, `\$`) {
		re = regexp.MustCompile(`\A(?:` + expr + `)\z`)
	}
	return Route{expr: re, source: expr, app: app, at: at}
}

// misprint finds a group without its parenthesis or question mark, and a
// parameter of Django's path(), which compile and match only themselves.
var misprint = regexp.MustCompile(`<(\w+:)?\w+>`)

// Mount is a route for everything whose path begins with prefix, as a rule to
// another router, which sees the rest of the path. If app answers with
// protocol.ErrNoRoute, the next route is tried. prefix is literal, without the
// leading slash: "lobby/". It is a word of its own, and not guessed from what
// app is, so that app may be wrapped in middleware.
//
// An empty prefix, one that begins with a slash or holds a < or a nil app
// panics.
func Mount(prefix string, app protocol.Application) Route {
	at := caller()
	switch {
	case prefix == "" || strings.HasPrefix(prefix, "/"):
		panic(fmt.Sprintf("wye: mount %q (%s): write the prefix without the leading slash, as in \"lobby/\"", prefix, at))
	case strings.ContainsAny(prefix, "<>"):
		panic(fmt.Sprintf("wye: mount %q (%s): a prefix has no parameters in this version; use RePath", prefix, at))
	case app == nil:
		panic(fmt.Sprintf("wye: mount %q (%s): the application is nil", prefix, at))
	}
	re := regexp.MustCompile(`\A` + regexp.QuoteMeta(prefix))
	return Route{expr: re, source: prefix, app: app, at: at, mounted: true}
}

// caller is where the exported function was called that calls it.
func caller() string {
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s:%d", file, line)
}

// params are the named groups of a match that took part in it.
func (r *Route) params(path string, match []int) map[string]string {
	var found map[string]string
	for i, name := range r.expr.SubexpNames() {
		if name == "" || match[2*i] < 0 {
			continue
		}
		if found == nil {
			found = make(map[string]string, len(match)/2-1)
		}
		found[name] = path[match[2*i]:match[2*i+1]]
	}
	return found
}
