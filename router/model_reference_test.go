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

// This file is the reference implementation: the rules of routing in Django and Channels,
// with the intended differences of Wye (only the ErrNoRoute of a mount leads to the next
// route, and to 404), as simply as package regexp allows and without regard to speed. It
// shares no code with the router.

// refType is a type of parameters.
type refType struct {
	expr   string
	ok     func(text string) bool // what a Converter's Check does, or nil
	custom bool                   // not built in
}

func refTypes() map[string]refType {
	return map[string]refType{
		"str":   {expr: `[^/]+`},
		"int":   {expr: `[0-9]+`, ok: isInt64},
		"slug":  {expr: `[-a-zA-Z0-9_]+`},
		"uuid":  {expr: `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`},
		"path":  {expr: `.+`},
		"group": {expr: `[a-zA-Z0-9_.\-]{1,99}`},

		"year":  {expr: `[0-9]{4}`, custom: true},
		"big":   {expr: `[0-9]+`, custom: true},
		"even":  {expr: `[0-9]+`, custom: true, ok: func(text string) bool { return strings.ContainsAny(text[len(text)-1:], "02468") }},
		"all":   {expr: `(?s).*`, custom: true, ok: func(text string) bool { return !strings.Contains(text, "x") }},
		"maybe": {expr: `[a-z]*`, custom: true},
		"alt":   {expr: `a|ab|b/c`, custom: true},
		"lazy":  {expr: `.+?`, custom: true},
		"fold":  {expr: `(?i)ab+`, custom: true},
		"word":  {expr: `\b\w+\b`, custom: true},
		"line":  {expr: `\A[a-z]+`, custom: true},
		"none":  {expr: `a{0}`, custom: true, ok: func(text string) bool { return text == "" }},
	}
}

// isInt64 reports whether text, which has only digits, fits an int64.
func isInt64(text string) bool {
	const most = "9223372036854775807"
	text = strings.TrimLeft(text, "0")
	return len(text) < len(most) || len(text) == len(most) && text <= most
}

// refExpr is the expression of a route and the checks of its parameters.
type refExpr struct {
	re     *regexp.Regexp
	tree   *syntax.Regexp // for random paths
	checks map[string]func(string) bool
}

var parameter = regexp.MustCompile(`<(?:([^<>:]*):)?([^<>:]*)>`)

func newRefExpr(s *routeSpec) *refExpr {
	e := &refExpr{checks: map[string]func(string) bool{}}
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
		expr += quoteRunes(s.pattern[done:at[0]])
		done = at[1]
		typ, name := "str", s.pattern[at[4]:at[5]]
		if at[2] >= 0 {
			typ = s.pattern[at[2]:at[3]]
		}
		conv := refTypes()[typ]
		expr += "(?P<" + name + ">" + conv.expr + ")"
		if conv.ok != nil {
			e.checks[name] = conv.ok
		}
	}
	expr += quoteRunes(s.pattern[done:])
	if s.kind == "path" {
		expr += `\z`
	}
	e.compile(expr)
	return e
}

func (e *refExpr) compile(expr string) {
	e.re = regexp.MustCompile(expr)
	e.tree, _ = syntax.Parse(expr, syntax.Perl) // expr has been compiled
}

// quoteRunes returns an expression that matches text only.
func quoteRunes(text string) (expr string) {
	for _, r := range text {
		expr += fmt.Sprintf(`\x{%x}`, r)
	}
	return expr
}

// match returns the spans of a match in path, which is in the form that routes match, or nil.
func (e *refExpr) match(path string) []int {
	at := e.re.FindStringSubmatchIndex(path)
	if at == nil {
		return nil
	}
	for name, ok := range e.checks {
		if i := e.re.SubexpIndex(name); !ok(decodeForm(path[at[2*i]:at[2*i+1]])) {
			return nil
		}
	}
	return at
}

// captures returns the parameters and arguments of a match. If a group has a name, only
// groups with a name count, and of these only those that took part in the match.
func (e *refExpr) captures(path string, at []int) (params []plumbing.Param, args []string) {
	names := e.re.SubexpNames()
	named := slices.ContainsFunc(names, func(name string) bool { return name != "" })
	for i, name := range names {
		took := at[2*i] >= 0
		switch {
		case i == 0:
		case !named && took:
			args = append(args, decodeForm(path[at[2*i]:at[2*i+1]]))
		case !named:
			args = append(args, "")
		case name != "" && took:
			params = append(params, plumbing.Param{Name: name, Value: decodeForm(path[at[2*i]:at[2*i+1]])})
		}
	}
	return params, args
}

// refForm returns the form of an escaped path that routes match, and whether the path is
// canonical.
func refForm(escaped string) (form string, canonical bool) {
	canonical = true
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		decoded, _ := url.PathUnescape(segment) //nolint:errcheck // the caller has checked it
		for part := range strings.SplitSeq(decoded, "/") {
			canonical = canonical && part != "." && part != ".."
		}
		inside := i > 0 && i < len(segments)-1
		canonical = canonical && (decoded != "" || !inside)
		control := strings.ContainsFunc(decoded, func(c rune) bool { return c < 0x80 && unicode.IsControl(c) })
		canonical = canonical && !control && utf8.ValidString(decoded)
		segments[i] = strings.ReplaceAll(decoded, "/", "\x1f")
	}
	if regexp.MustCompile(`(?i)%(2[de]|3\d|4[1-9a-f]|5[\da]|5f|6[1-9a-f]|7[\dae])`).MatchString(escaped) {
		canonical = false
	}
	return strings.Join(segments, "/"), canonical
}

// decodeForm returns the decoded path with this form.
func decodeForm(form string) string { return strings.ReplaceAll(form, "\x1f", "/") }

// refScope is what an application gets as its scope. root and path are in the form that
// routes match.
type refScope struct {
	root, path string
	route      string
	params     []plumbing.Param
	args       []string
}

// enter returns the scope of the application behind s, if s matches.
func (s *routeSpec) enter(p refScope) (refScope, bool) {
	trimmed := strings.TrimPrefix(p.path, "/")
	at := s.ref.match(trimmed)
	if at == nil {
		return refScope{}, false
	}
	params, args := s.ref.captures(trimmed, at)
	taken := p.path[:len(p.path)-len(trimmed)] + trimmed[:at[1]]
	return refScope{
		root:   p.root + taken,
		path:   trimmed[at[1]:],
		route:  p.route + s.pattern,
		params: slices.Concat(p.params, params, s.extra),
		args:   slices.Concat(p.args, args),
	}, true
}

// result is the result of Open or Find.
type result struct {
	text    string // of the error; "" if there is none
	route   string // Scope.Route afterwards
	noRoute bool   // the error matches ErrNoRoute
	hint    bool   // the error says that a final slash is missing
}

// refOpen returns the result of Open. rec records the applications that are opened.
func refOpen(routes []*routeSpec, p refScope, rec *recorder) result {
	var notFound []result
	for _, s := range routes {
		in, ok := s.enter(p)
		if !ok {
			continue
		}
		var res result
		if s.nested {
			res = refOpen(s.inner, in, rec)
		} else {
			res = rec.callReference(s, in)
		}
		if !res.noRoute || s.kind != "mount" {
			if res.route == "" {
				res.route = in.route
			}
			return res
		}
		res.route = ""
		notFound = append(notFound, res)
	}
	notFound = append(notFound, refNotFound(routes, p))
	if hinted := slices.IndexFunc(notFound, func(res result) bool { return res.hint }); hinted >= 0 {
		return notFound[hinted]
	}
	return notFound[0]
}

const slashHint = "; did you mean the same with a slash at the end?"

func refNotFound(routes []*routeSpec, p refScope) result {
	res := result{text: fmt.Sprintf("%d nothing is served at %q", http.StatusNotFound, truncate(decodeForm(p.root+p.path))), noRoute: true}
	if trimmed := strings.TrimPrefix(p.path, "/"); !strings.HasSuffix(trimmed, "/") && refHasRoute(routes, trimmed+"/") {
		res.hint = true
		res.text += slashHint
	}
	return res
}

// truncate returns the first 200 bytes of a path, as the text of a 404 has them.
func truncate(path string) string {
	if len(path) <= 200 {
		return path
	}
	return path[:200] + "..."
}

// refHasRoute reports whether a route matches path, as far as the router can know without
// opening an application.
func refHasRoute(routes []*routeSpec, path string) bool {
	for _, s := range routes {
		in, ok := s.enter(refScope{path: path})
		switch {
		case !ok:
		case s.visibleToRouter() && refHasRoute(s.inner, in.path):
			return true
		case s.kind != "mount":
			return !s.visibleToRouter()
		}
	}
	return false
}

// refFind returns the result of Find.
func refFind(routes []*routeSpec, p refScope) result {
	var notFound []result
	for _, s := range routes {
		in, ok := s.enter(p)
		if !ok {
			continue
		}
		if !s.visibleToFind() {
			return result{}
		}
		res := refFind(s.inner, in)
		if !res.noRoute || s.kind != "mount" {
			return res
		}
		notFound = append(notFound, res)
	}
	notFound = append(notFound, refNotFound(routes, p))
	if hinted := slices.IndexFunc(notFound, func(res result) bool { return res.hint }); hinted >= 0 {
		return notFound[hinted]
	}
	return notFound[0]
}
