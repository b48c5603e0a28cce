package router

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/wye-go/wye/protocol"
)

// journal is where applications write down how they were come to.
type journal struct {
	names []string // of all parameters there are
	seen  []visit
}

// visit is how an application was come to.
type visit struct {
	sketch     *sketch
	root, path string
	route      string
	params     string
	args       string
}

func (v visit) String() string {
	return fmt.Sprintf("line %d (%q and %q left, route %q, parameters %s, arguments %s)", v.sketch.line, v.root, v.path, v.route, v.params, v.args)
}

// know adds the names of the parameters of sketches.
func (j *journal) know(sketches []*sketch) {
	for _, s := range sketches {
		j.names = append(j.names, s.plain.re.SubexpNames()...)
		for _, p := range s.extra {
			j.names = append(j.names, p.Name)
		}
		j.know(s.inner)
	}
	slices.Sort(j.names)
	j.names = slices.Compact(j.names)
}

// app is the application behind a real route.
func (j *journal) app(s *sketch) protocol.Application {
	return protocol.ApplicationFunc(func(scope *protocol.Scope) (protocol.Handler, error) {
		j.note(visit{sketch: s, root: scope.RootPath(), path: scope.Path(), route: scope.Route()}, scope.Param, scope.Args())
		switch s.answer {
		case "no":
			return nil, protocol.ErrNoRoute
		case "teapot":
			return nil, protocol.NewRejectError(http.StatusTeapot, s.pattern)
		}
		return idle{}, nil
	})
}

// idle is a handler that is never called.
type idle struct{ protocol.Handler }

// visit is what the application behind a plain route does.
func (j *journal) visit(s *sketch, p place) verdict {
	j.note(visit{sketch: s, root: meant(p.root), path: meant(p.path), route: p.route}, func(name string) string {
		for _, param := range slices.Backward(p.params) {
			if param.Name == name {
				return param.Value
			}
		}
		return ""
	}, p.args)
	switch s.answer {
	case "no":
		return verdict{text: protocol.ErrNoRoute.Error(), noRoute: true}
	case "teapot":
		return verdict{text: fmt.Sprintf("%d %s", http.StatusTeapot, s.pattern)}
	}
	return verdict{route: p.route}
}

func (j *journal) note(v visit, param func(string) string, args []string) {
	for _, name := range j.names {
		v.params += fmt.Sprintf("%s=%q ", name, param(name))
	}
	v.args = fmt.Sprintf("%q", args)
	j.seen = append(j.seen, v)
}

// take returns what was written down, and begins anew.
func (j *journal) take() []visit {
	seen := j.seen
	j.seen = nil
	return seen
}

// verdictOf is what a real router says.
func verdictOf(s *protocol.Scope, err error) verdict {
	v := verdict{noRoute: errors.Is(err, protocol.ErrNoRoute), hint: errors.Is(err, errSlash), route: s.Route()}
	refused, ok := errors.AsType[*protocol.RejectError](err)
	switch {
	case ok:
		v.text = fmt.Sprint(refused.Status, " ", refused.Body)
	case err != nil:
		v.text = err.Error()
	}
	return v
}
