package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// sketch is a route on paper. Both routers that are compared are made of it, the
// real one and the plain one. A line of text is one:
//
//	path,name=room,with:kind=x ws/<slug:group>/
//	mount shop/<slug:shop>/
//		re ^(?P<room>\w+)/$
//
// What is indented is in a router behind the line above it.
type sketch struct {
	kind, pattern string // "re", "path" or "mount"
	name          string
	extra         []plumbing.Param
	answer        string // "": accepts; "no": there is no route; "teapot": refuses
	cover         string // middleware: "use", "wrap", "bare" or "hide"
	nested        bool   // a router is behind it, perhaps an empty one
	inner         []*sketch
	line          int

	route Route      // once it is built
	urls  *URLRouter // what is behind it
	plain *plainExpr
}

const (
	mostLines   = 14
	deepest     = 3
	longestLine = 200
)

// parseSketches reads what it can; other lines are left out.
func parseSketches(text string) []*sketch {
	var top []*sketch
	open := []*[]*sketch{&top} // by depth, where the next one goes
	for i, line := range strings.Split(text, "\n") {
		if i >= mostLines {
			break
		}
		flush := strings.TrimLeft(line, "\t")
		s := parseSketch(flush, i+1)
		if s == nil || len(line) > longestLine {
			continue
		}
		depth := min(len(line)-len(flush), len(open)-1)
		if last := *open[depth]; len(last) > 0 && depth < deepest && len(line)-len(flush) > depth {
			parent := last[len(last)-1]
			parent.nested = true
			open, depth = append(open[:depth+1], &parent.inner), depth+1
		}
		open = open[:depth+1]
		*open[depth] = append(*open[depth], s)
	}
	return top
}

func parseSketch(line string, number int) *sketch {
	head, pattern, found := strings.Cut(line, " ")
	words := strings.Split(head, ",")
	if !found || !slices.Contains([]string{"re", "path", "mount"}, words[0]) {
		return nil
	}
	s := &sketch{kind: words[0], pattern: pattern, line: number}
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
			s.cover = key
		case key == "urls":
			s.nested = true
		}
	}
	return s
}

// write is the text of a sketch, for failures and for seeds.
func (s *sketch) write(b *strings.Builder, depth int) {
	b.WriteString(strings.Repeat("\t", depth) + s.kind)
	for _, word := range []string{s.answer, s.cover} {
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
		inner.write(b, depth+1)
	}
}

func textOf(sketches []*sketch) string {
	var b strings.Builder
	for _, s := range sketches {
		s.write(&b, 0)
	}
	return b.String()
}

// ownTypes are a program's own converters.
func ownTypes() Converters {
	types := Converters{}
	for name, typ := range plainTypes() {
		if !typ.own {
			continue
		}
		conv := Converter{Expr: typ.expr}
		if typ.ok != nil {
			conv.Check = func(text string) error {
				if !typ.ok(text) {
					return fmt.Errorf("%q is none", text)
				}
				return nil
			}
		}
		types[name] = conv
	}
	return types
}

// saidNo returns what f panics with, which has to be a text of ours.
func saidNo(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		t.Helper()
		if p := recover(); p != nil {
			var ours bool
			if text, ours = p.(string); !ours || !strings.HasPrefix(text, "wye: ") {
				t.Fatalf("a panic that is not ours: %v", p)
			}
		}
	}()
	f()
	return ""
}

// buildAll makes the real router of sketches. Those of which none can be made
// are left out; it returns those that are in.
func buildAll(t *testing.T, sketches []*sketch, log *journal, d *dice) (*URLRouter, []*sketch) {
	t.Helper()
	var kept []*sketch
	for _, s := range sketches {
		if s.build(t, log, d) {
			kept = append(kept, s)
		}
	}
	for n := 0; n < len(kept); {
		routes := make([]Route, n+1)
		for i, s := range kept[:n+1] {
			routes[i] = s.route
		}
		var urls *URLRouter
		text := saidNo(t, func() { urls = NewURLRouter(routes...) })
		switch {
		case text == "" && n == len(kept)-1:
			return urls, kept
		case text == "":
			n++
		case strings.Contains(text, "two routes have the name"):
			kept[n].name, kept[n].route.name = "", ""
		case strings.Contains(text, "can never be reached"):
			wantHidden(t, text, kept[:n+1], d)
			kept = slices.Delete(kept, n, n+1)
			n = max(0, min(n, len(kept)-1))
		default:
			t.Fatalf("URLs panics with %s", text)
		}
	}
	return NewURLRouter(), nil
}

// build makes the route of a sketch, if one can be made.
func (s *sketch) build(t *testing.T, log *journal, d *dice) bool {
	t.Helper()
	app := log.app(s)
	if s.nested {
		s.urls, s.inner = buildAll(t, s.inner, log, d)
		app = s.urls
	}
	app = cover(s.cover, app)
	newRoute := map[string]func(string, protocol.Application) Route{"re": RePath, "path": ownTypes().Path, "mount": ownTypes().Mount}[s.kind]
	if saidNo(t, func() { s.route = newRoute(s.pattern, app) }) != "" {
		return false
	}
	if s.name != "" && saidNo(t, func() { s.route = s.route.Name(s.name) }) != "" {
		s.name = ""
	}
	for _, p := range s.extra {
		s.route = s.route.With(p.Name, p.Value)
	}
	s.plain = newPlainExpr(s)
	return true
}

// cover puts app behind middleware.
func cover(kind string, app protocol.Application) protocol.Application {
	pass := func(next protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) { return next.Open(s) })
	}
	wrap := func(next protocol.Application) protocol.Application { return protocol.Wrap(next, next.Open) }
	switch kind {
	case "use":
		return Use(app, pass)
	case "wrap":
		return Use(app, wrap)
	case "bare":
		return wrap(app)
	case "hide":
		return pass(app)
	}
	return app
}

// isRouter reports whether the router knows that there is another behind it.
func (s *sketch) isRouter() bool { return s.nested && s.cover != "bare" && s.cover != "hide" }

// isAsked reports whether Find gets to the router behind it.
func (s *sketch) isAsked() bool { return s.nested && s.cover != "use" && s.cover != "hide" }
