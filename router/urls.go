package router

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// URLRouter is an Application that hands a connection to the first of its
// routes that matches the path. Make it with [URLs]. Safe for concurrent use.
type URLRouter struct{ routes []Route }

var _ protocol.Finder = (*URLRouter)(nil)

// URLs returns a router that tries routes in order. Two routes with the same
// expression, of which the second could never be reached, panic with both
// lines of the program.
func URLs(routes ...Route) *URLRouter {
	first := map[string]Route{}
	for _, r := range routes {
		if r.expr == nil {
			panic("wye: router.URLs: a route is empty; make routes with RePath or Mount")
		}
		key := fmt.Sprint(r.source, r.mounted)
		if before, twice := first[key]; twice && !before.mounted {
			panic(fmt.Sprintf("wye: route %q (%s) can never be reached: the same stands before it (%s)", r.source, r.at, before.at))
		}
		first[key] = r
	}
	return &URLRouter{routes: routes}
}

// Open hands s to the first route that matches, with the route's parameters and
// the rest of the path. A mounted application that answers with
// protocol.ErrNoRoute is passed over. If none matches the error is
// protocol.ErrNoRoute, which refuses the connection with 404, and says so if
// only a final slash is missing.
func (u *URLRouter) Open(s *protocol.Scope) (h protocol.Handler, err error) {
	err = u.walk(s, func(app protocol.Application, s *protocol.Scope) error {
		h, err = app.Open(s)
		return err
	})
	return h, err
}

// Find returns nil if a route matches the path, and what Open returns if none
// does. Nothing is opened; an application that is no protocol.Finder counts as
// found.
func (u *URLRouter) Find(s *protocol.Scope) error {
	return u.walk(s, func(app protocol.Application, s *protocol.Scope) error {
		if f, ok := app.(protocol.Finder); ok {
			return f.Find(s)
		}
		return nil
	})
}

// walk visits the applications that s is for, until one of them does not pass.
func (u *URLRouter) walk(s *protocol.Scope, visit func(protocol.Application, *protocol.Scope) error) error {
	path := strings.TrimLeft(s.Path, "/")
	var inner error // what a mounted router says about there being nothing
	for i := range u.routes {
		r := &u.routes[i]
		match := r.expr.FindStringSubmatchIndex(path)
		if match == nil {
			continue
		}
		taken := s.Path[:len(s.Path)-len(path)+match[1]]
		err := visit(r.app, s.WithRoute(taken, path[match[1]:], r.params(path, match)))
		if r.mounted && errors.Is(err, protocol.ErrNoRoute) {
			inner = moreHelpful(inner, err)
			continue
		}
		return err
	}
	return moreHelpful(inner, u.noRoute(s, path))
}

// errSlash is in the refusal of a path that only lacks its final slash.
var errSlash = fmt.Errorf("%w: the final slash is missing", protocol.ErrNoRoute)

// moreHelpful chooses between what two routers say: the first one's, unless only
// the second one knows what is wrong.
func moreHelpful(first, second error) error {
	if first == nil || errors.Is(second, errSlash) && !errors.Is(first, errSlash) {
		return second
	}
	return first
}

// noRoute is the refusal of a path. Its text holds nothing but what the peer
// has sent.
func (u *URLRouter) noRoute(s *protocol.Scope, path string) error {
	e := &protocol.RejectError{
		Status: http.StatusNotFound,
		Body:   fmt.Sprintf("nothing is served at %q", s.RootPath+s.Path),
		Err:    protocol.ErrNoRoute,
	}
	if !strings.HasSuffix(path, "/") && u.matches(path+"/") {
		e.Body += "; did you mean the same with a slash at the end?"
		e.Err = errSlash
	}
	return e
}

func (u *URLRouter) matches(path string) bool {
	for _, r := range u.routes {
		if !r.mounted && r.expr.MatchString(path) {
			return true
		}
	}
	return false
}
