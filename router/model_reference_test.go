package router

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/plumbing"
)

// The plain router: the rules of Django's and Channels' routing, with what Wye
// does otherwise on purpose (only a mount's ErrNoRoute goes on, 404), one after
// the other with nothing but package regexp. It does not ask what is fast.

// plainType is a type of parameters.
type plainType struct {
	expr string
	ok   func(text string) bool // nil: whatever matches
	own  bool                   // a program's
}

func plainTypes() map[string]plainType {
	return map[string]plainType{
		"str":   {expr: `[^/]+`},
		"int":   {expr: `[0-9]+`, ok: isInt64},
		"slug":  {expr: `[-a-zA-Z0-9_]+`},
		"uuid":  {expr: `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`},
		"path":  {expr: `.+`},
		"group": {expr: `[a-zA-Z0-9_.\-]{1,99}`},

		"year":  {expr: `[0-9]{4}`, own: true},
		"big":   {expr: `[0-9]+`, own: true},
		"even":  {expr: `[0-9]+`, own: true, ok: func(text string) bool { return strings.ContainsAny(text[len(text)-1:], "02468") }},
		"all":   {expr: `(?s).*`, own: true, ok: func(text string) bool { return !strings.Contains(text, "x") }},
		"maybe": {expr: `[a-z]*`, own: true},
		"alt":   {expr: `a|ab|b/c`, own: true},
		"lazy":  {expr: `.+?`, own: true},
		"fold":  {expr: `(?i)ab+`, own: true},
		"word":  {expr: `\b\w+\b`, own: true},
		"line":  {expr: `\A[a-z]+`, own: true},
		"none":  {expr: `a{0}`, own: true, ok: func(text string) bool { return text == "" }},
	}
}

// isInt64 compares digits.
func isInt64(text string) bool {
	const most = "9223372036854775807"
	text = strings.TrimLeft(text, "0")
	return len(text) < len(most) || len(text) == len(most) && text <= most
}

// plainExpr is what a route matches with.
type plainExpr struct {
	re     *regexp.Regexp
	tree   *syntax.Regexp // for samples
	checks map[string]func(string) bool
}

var parameter = regexp.MustCompile(`<(?:([^<>:]*):)?([^<>:]*)>`)

func newPlainExpr(s *sketch) *plainExpr {
	e := &plainExpr{checks: map[string]func(string) bool{}}
	if s.kind == "re" {
		expr := s.pattern
		if regexp.MustCompile(`(^|[^\\])(\\\\)*\$$`).MatchString(expr) {
			expr = `\A(?:` + expr + `)\z`
		}
		e.compile(expr)
		return e
	}
	expr, done := `\A`, 0
	for _, at := range parameter.FindAllStringSubmatchIndex(s.pattern, -1) {
		expr += quoted(s.pattern[done:at[0]])
		done = at[1]
		typ, name := "str", s.pattern[at[4]:at[5]]
		if at[2] >= 0 {
			typ = s.pattern[at[2]:at[3]]
		}
		conv := plainTypes()[typ]
		expr += "(?P<" + name + ">" + conv.expr + ")"
		if conv.ok != nil {
			e.checks[name] = conv.ok
		}
	}
	expr += quoted(s.pattern[done:])
	if s.kind == "path" {
		expr += `\z`
	}
	e.compile(expr)
	return e
}

func (e *plainExpr) compile(expr string) {
	e.re = regexp.MustCompile(expr)
	e.tree, _ = syntax.Parse(expr, syntax.Perl) // of what has been compiled
}

// quoted is an expression that matches text.
func quoted(text string) (expr string) {
	for _, r := range text {
		expr += fmt.Sprintf(`\x{%x}`, r)
	}
	return expr
}

// match is where the expression matches form, or nil.
func (e *plainExpr) match(path string) []int {
	at := e.re.FindStringSubmatchIndex(path)
	if at == nil {
		return nil
	}
	for name, ok := range e.checks {
		if i := e.re.SubexpIndex(name); !ok(meant(path[at[2*i]:at[2*i+1]])) {
			return nil
		}
	}
	return at
}

// captures are the parameters and arguments of a match: if any group has a name,
// those that took part and have one, otherwise all.
func (e *plainExpr) captures(path string, at []int) (params []plumbing.Param, args []string) {
	names := e.re.SubexpNames()
	named := slices.ContainsFunc(names, func(name string) bool { return name != "" })
	for i, name := range names {
		took := at[2*i] >= 0
		switch {
		case i == 0:
		case !named && took:
			args = append(args, meant(path[at[2*i]:at[2*i+1]]))
		case !named:
			args = append(args, "")
		case name != "" && took:
			params = append(params, plumbing.Param{Name: name, Value: meant(path[at[2*i]:at[2*i+1]])})
		}
	}
	return params, args
}

// formOf is the path that is spelt so, decoded segment by segment, with slashes
// within a segment replaced; and whether it is one that any router takes.
func formOf(spelt string) (form string, canonical bool) {
	canonical = true
	segments := strings.Split(spelt, "/")
	for i, segment := range segments {
		decoded, _ := url.PathUnescape(segment) //nolint:errcheck // it has been looked at
		for part := range strings.SplitSeq(decoded, "/") {
			canonical = canonical && part != "." && part != ".."
		}
		inside := i > 0 && i < len(segments)-1
		canonical = canonical && (decoded != "" || !inside)
		control := strings.ContainsFunc(decoded, func(c rune) bool { return c < 0x80 && unicode.IsControl(c) })
		canonical = canonical && !control && utf8.ValidString(decoded)
		segments[i] = strings.ReplaceAll(decoded, "/", "\x1f")
	}
	if regexp.MustCompile(`(?i)%(2[de]|3\d|4[1-9a-f]|5[\da]|5f|6[1-9a-f]|7[\dae])`).MatchString(spelt) {
		canonical = false
	}
	return strings.Join(segments, "/"), canonical
}

// meant is what a part of a form stands for.
func meant(form string) string { return strings.ReplaceAll(form, "\x1f", "/") }

// place is how far routing has come: root and path are in the form that is matched.
type place struct {
	root, path string
	route      string
	params     []plumbing.Param
	args       []string
}

// behind is the place of the application behind s, if s matches.
func (s *sketch) behind(p place) (place, bool) {
	trimmed := strings.TrimPrefix(p.path, "/")
	at := s.plain.match(trimmed)
	if at == nil {
		return place{}, false
	}
	params, args := s.plain.captures(trimmed, at)
	taken := p.path[:len(p.path)-len(trimmed)] + trimmed[:at[1]]
	return place{
		root:   p.root + taken,
		path:   trimmed[at[1]:],
		route:  p.route + s.pattern,
		params: slices.Concat(p.params, params, s.extra),
		args:   slices.Concat(p.args, args),
	}, true
}

// verdict is what a router says.
type verdict struct {
	text    string // "": accepted
	route   string // that was taken, or refused for good
	noRoute bool
	hint    bool
}

// openPlainly routes p, and writes down which applications it comes to.
func openPlainly(routes []*sketch, p place, log *journal) verdict {
	var missed []verdict
	for _, s := range routes {
		in, ok := s.behind(p)
		if !ok {
			continue
		}
		var v verdict
		if s.nested {
			v = openPlainly(s.inner, in, log)
		} else {
			v = log.visit(s, in)
		}
		if !v.noRoute || s.kind != "mount" {
			if v.route == "" {
				v.route = in.route
			}
			return v
		}
		v.route = ""
		missed = append(missed, v)
	}
	missed = append(missed, notServed(routes, p))
	if hinted := slices.IndexFunc(missed, func(v verdict) bool { return v.hint }); hinted >= 0 {
		return missed[hinted]
	}
	return missed[0]
}

const slashHint = "; did you mean the same with a slash at the end?"

func notServed(routes []*sketch, p place) verdict {
	v := verdict{text: fmt.Sprintf("%d nothing is served at %q", http.StatusNotFound, beginning(meant(p.root+p.path))), noRoute: true}
	if trimmed := strings.TrimPrefix(p.path, "/"); !strings.HasSuffix(trimmed, "/") && leadsPlainly(routes, trimmed+"/") {
		v.hint = true
		v.text += slashHint
	}
	return v
}

// beginning is all of a path of 200 bytes.
func beginning(path string) string {
	if len(path) <= 200 {
		return path
	}
	return path[:200] + "..."
}

// leadsPlainly reports whether path leads somewhere, as far as routers can see.
func leadsPlainly(routes []*sketch, path string) bool {
	for _, s := range routes {
		in, ok := s.behind(place{path: path})
		switch {
		case !ok:
		case s.isRouter() && leadsPlainly(s.inner, in.path):
			return true
		case s.kind != "mount":
			return !s.isRouter()
		}
	}
	return false
}

// foundPlainly is what Find says.
func foundPlainly(routes []*sketch, p place) verdict {
	var missed []verdict
	for _, s := range routes {
		in, ok := s.behind(p)
		if !ok {
			continue
		}
		if !s.isAsked() {
			return verdict{}
		}
		v := foundPlainly(s.inner, in)
		if !v.noRoute || s.kind != "mount" {
			return v
		}
		missed = append(missed, v)
	}
	missed = append(missed, notServed(routes, p))
	if hinted := slices.IndexFunc(missed, func(v verdict) bool { return v.hint }); hinted >= 0 {
		return missed[hinted]
	}
	return missed[0]
}
