package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// The files model_*_test.go are one test. It describes routers as routeSpecs, which are
// parsed from the text of a fuzzer (model_seeds_test.go has examples) or generated at
// random (model_generate_test.go, model_random_test.go). Of each description it builds a
// URLRouter, and compares this router, for random paths (model_compare_test.go), with a
// simple implementation of the same rules (model_reference_test.go). The fuzz targets are
// in model_fuzz_test.go.

// routeSpec describes a route. Its text is one line:
//
//	path,name=room,with:kind=x ws/<slug:group>/
//	mount shop/<slug:shop>/
//		re ^(?P<room>\w+)/$
//
// Indented lines are the routes of a router behind the route of the line above.
type routeSpec struct {
	kind       string // "re", "path" or "mount"
	pattern    string
	name       string           // of Route.Name
	extra      []plumbing.Param // of Route.With
	answer     string           // of the application: "" accepts, "no" is ErrNoRoute, "teapot" refuses
	middleware string           // in front of the application; see addMiddleware
	nested     bool             // the application is a router
	inner      []*routeSpec     // the routes of that router
	line       int

	route Route      // built from the fields above
	urls  *URLRouter // the router behind the route, if nested
	ref   *refExpr
}

const (
	maxLines   = 14
	maxDepth   = 3
	maxLineLen = 200
)

// parseSpecs parses text. It ignores lines that are not a routeSpec.
func parseSpecs(text string) []*routeSpec {
	var top []*routeSpec
	open := []*[]*routeSpec{&top} // by depth, the list that the next route is added to
	for i, line := range strings.Split(text, "\n") {
		if i >= maxLines {
			break
		}
		flush := strings.TrimLeft(line, "\t")
		s := parseSpec(flush, i+1)
		if s == nil || len(line) > maxLineLen {
			continue
		}
		depth := min(len(line)-len(flush), len(open)-1)
		if last := *open[depth]; len(last) > 0 && depth < maxDepth && len(line)-len(flush) > depth {
			parent := last[len(last)-1]
			parent.nested = true
			open, depth = append(open[:depth+1], &parent.inner), depth+1
		}
		open = open[:depth+1]
		*open[depth] = append(*open[depth], s)
	}
	return top
}

func parseSpec(line string, number int) *routeSpec {
	head, pattern, found := strings.Cut(line, " ")
	words := strings.Split(head, ",")
	if !found || !slices.Contains([]string{"re", "path", "mount"}, words[0]) {
		return nil
	}
	s := &routeSpec{kind: words[0], pattern: pattern, line: number}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case key == "name":
			s.name = value
		case strings.HasPrefix(key, "with:"):
			s.extra = append(s.extra, plumbing.Param{Name: key[5:], Value: value})
		case key == "no", key == "teapot":
			s.answer = key
		case key == "use", key == "wrap", key == "bare", key == "hide":
			s.middleware = key
		case key == "urls":
			s.nested = true
		}
	}
	return s
}

// writeText writes the text of s, for the messages of failures.
func (s *routeSpec) writeText(b *strings.Builder, depth int) {
	b.WriteString(strings.Repeat("\t", depth) + s.kind)
	for _, word := range []string{s.answer, s.middleware} {
		if word != "" {
			b.WriteString("," + word)
		}
	}
	if s.name != "" {
		b.WriteString(",name=" + s.name)
	}
	for _, p := range s.extra {
		b.WriteString(",with:" + p.Name + "=" + p.Value)
	}
	if s.nested {
		b.WriteString(",urls")
	}
	b.WriteString(" " + s.pattern + "\n")
	for _, inner := range s.inner {
		inner.writeText(b, depth+1)
	}
}

func specText(specs []*routeSpec) string {
	var b strings.Builder
	for _, s := range specs {
		s.writeText(&b, 0)
	}
	return b.String()
}

// customConverters returns the types of refTypes that are not built in.
func customConverters() Converters {
	types := Converters{}
	for name, typ := range refTypes() {
		if !typ.custom {
			continue
		}
		conv := Converter{Expr: typ.expr}
		if typ.ok != nil {
			conv.Check = func(text string) error {
				if !typ.ok(text) {
					return fmt.Errorf("%q is not allowed", text)
				}
				return nil
			}
		}
		types[name] = conv
	}
	return types
}

// panicText returns the text that f panics with, or "". The text must begin with "wye: ".
func panicText(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		t.Helper()
		if p := recover(); p != nil {
			var isText bool
			if text, isText = p.(string); !isText || !strings.HasPrefix(text, "wye: ") {
				t.Fatalf("unexpected panic: %v", p)
			}
		}
	}()
	f()
	return ""
}

// buildRouter makes a URLRouter of specs. It leaves out the routes for which a constructor
// panics, and returns the others. It checks the panics about routes that can never be
// reached.
func buildRouter(t *testing.T, specs []*routeSpec, rec *recorder, d *random) (*URLRouter, []*routeSpec) {
	t.Helper()
	var kept []*routeSpec
	for _, s := range specs {
		if s.buildRoute(t, rec, d) {
			kept = append(kept, s)
		}
	}
	for n := 0; n < len(kept); {
		routes := make([]Route, n+1)
		for i, s := range kept[:n+1] {
			routes[i] = s.route
		}
		var urls *URLRouter
		text := panicText(t, func() { urls = NewURLRouter(routes...) })
		switch {
		case text == "" && n == len(kept)-1:
			return urls, kept
		case text == "":
			n++
		case strings.Contains(text, "two routes have the name"):
			kept[n].name, kept[n].route.name = "", ""
		case strings.Contains(text, "can never be reached"):
			checkHidden(t, text, kept[:n+1], d)
			kept = slices.Delete(kept, n, n+1)
			n = max(0, min(n, len(kept)-1))
		default:
			t.Fatalf("NewURLRouter panics with %s", text)
		}
	}
	return NewURLRouter(), nil
}

// buildRoute makes the route and the refExpr of s. It reports whether a constructor accepts the
// route.
func (s *routeSpec) buildRoute(t *testing.T, rec *recorder, d *random) bool {
	t.Helper()
	app := rec.application(s)
	if s.nested {
		s.urls, s.inner = buildRouter(t, s.inner, rec, d)
		app = s.urls
	}
	app = addMiddleware(s.middleware, app)
	newRoute := map[string]func(string, protocol.Application) Route{"re": RePath, "path": customConverters().Path, "mount": customConverters().Mount}[s.kind]
	if panicText(t, func() { s.route = newRoute(s.pattern, app) }) != "" {
		return false
	}
	if s.name != "" && panicText(t, func() { s.route = s.route.Name(s.name) }) != "" {
		s.name = ""
	}
	for _, p := range s.extra {
		s.route = s.route.With(p.Name, p.Value)
	}
	s.ref = newRefExpr(s)
	return true
}

// addMiddleware returns app in middleware of a kind: "use" and "hide" are opaque, so that
// Find does not see app; "wrap" and "bare" use protocol.Wrap. Only "use" and "wrap" are
// added by Use, so that the router in front knows app.
func addMiddleware(kind string, app protocol.Application) protocol.Application {
	opaque := func(next protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) { return next.Open(s) })
	}
	transparent := func(next protocol.Application) protocol.Application { return protocol.Wrap(next, next.Open) }
	switch kind {
	case "use":
		return Use(app, opaque)
	case "wrap":
		return Use(app, transparent)
	case "bare":
		return transparent(app)
	case "hide":
		return opaque(app)
	}
	return app
}

// visibleToRouter reports whether the router in front knows that a router is behind s.
func (s *routeSpec) visibleToRouter() bool {
	return s.nested && s.middleware != "bare" && s.middleware != "hide"
}

// visibleToFind reports whether Find of the router in front asks the router behind s.
func (s *routeSpec) visibleToFind() bool {
	return s.nested && s.middleware != "use" && s.middleware != "hide"
}
