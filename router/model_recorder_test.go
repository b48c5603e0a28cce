package router

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/wye-go/wye/protocol"
)

// recorder records the calls of applications: those that the router opens, and those that
// the reference implementation would open.
type recorder struct {
	names []string // of all parameters of all routes
	calls []call
}

// call is what an application saw when it was opened.
type call struct {
	spec       *routeSpec
	root, path string
	route      string
	params     string
	args       string
}

func (c call) String() string {
	return fmt.Sprintf("line %d (root %q, path %q, route %q, parameters %s, arguments %s)", c.spec.line, c.root, c.path, c.route, c.params, c.args)
}

// addNames adds the names of the parameters of specs.
func (rec *recorder) addNames(specs []*routeSpec) {
	for _, s := range specs {
		rec.names = append(rec.names, s.ref.re.SubexpNames()...)
		for _, p := range s.extra {
			rec.names = append(rec.names, p.Name)
		}
		rec.addNames(s.inner)
	}
	slices.Sort(rec.names)
	rec.names = slices.Compact(rec.names)
}

// application returns the application that the router opens for s.
func (rec *recorder) application(s *routeSpec) protocol.Application {
	return protocol.ApplicationFunc(func(scope *protocol.Scope) (protocol.Handler, error) {
		rec.record(call{spec: s, root: scope.RootPath(), path: scope.Path(), route: scope.Route()}, scope.Param, scope.Args())
		switch s.answer {
		case "no":
			return nil, protocol.ErrNoRoute
		case "teapot":
			return nil, protocol.NewRejectError(http.StatusTeapot, s.pattern)
		}
		return uncalled{}, nil
	})
}

// uncalled is a handler that is never called.
type uncalled struct{ protocol.Handler }

// callReference does for the reference implementation what application does for the router.
func (rec *recorder) callReference(s *routeSpec, in refScope) result {
	rec.record(call{spec: s, root: decodeForm(in.root), path: decodeForm(in.path), route: in.route}, func(name string) string {
		for _, param := range slices.Backward(in.params) {
			if param.Name == name {
				return param.Value
			}
		}
		return ""
	}, in.args)
	switch s.answer {
	case "no":
		return result{text: protocol.ErrNoRoute.Error(), noRoute: true}
	case "teapot":
		return result{text: fmt.Sprintf("%d %s", http.StatusTeapot, s.pattern)}
	}
	return result{route: in.route}
}

func (rec *recorder) record(c call, param func(string) string, args []string) {
	for _, name := range rec.names {
		c.params += fmt.Sprintf("%s=%q ", name, param(name))
	}
	c.args = fmt.Sprintf("%q", args)
	rec.calls = append(rec.calls, c)
}

// drain returns the recorded calls and forgets them.
func (rec *recorder) drain() []call {
	calls := rec.calls
	rec.calls = nil
	return calls
}

// resultOf returns the result of the router's Open or Find with s, which returned err.
func resultOf(s *protocol.Scope, err error) result {
	res := result{noRoute: errors.Is(err, protocol.ErrNoRoute), hint: errors.Is(err, errMissingSlash), route: s.Route()}
	refused, ok := errors.AsType[*protocol.RejectError](err)
	switch {
	case ok:
		res.text = fmt.Sprint(refused.Status, " ", refused.Body)
	case err != nil:
		res.text = err.Error()
	}
	return res
}
