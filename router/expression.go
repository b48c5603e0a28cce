package router

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/wye-go/wye/internal/plumbing"
)

// expression is what a route matches paths with. It is immutable and shared by
// the copies of a route.
type expression struct {
	source string // as it was written
	re     *regexp.Regexp
	groups []string                  // names of re's groups; groups[0] is ""
	named  bool                      // some group has a name, so that the others count for nothing
	checks []func(text string) error // by group; nil: there are none
	custom bool                      // some checks are a program's own
	shape  shape
	suffix string // of whatever matches
}

// compileExpr makes an expression of what RePath is given. It is never nil.
func compileExpr(expr string) (*expression, error) {
	e := &expression{source: expr}
	re, err := regexp.Compile(expr)
	if err != nil {
		return e, err
	}
	if endsInDollar(expr) {
		if re, err = regexp.Compile(`\A(?:` + expr + `)\z`); err != nil {
			return e, err // \Q without \E takes in the parenthesis
		}
	}
	e.use(re)
	err = e.plausible()
	return e, err
}

// endsInDollar reports whether the last character of expr is a $ that no
// backslash makes a literal.
func endsInDollar(expr string) bool {
	before, ends := strings.CutSuffix(expr, "$")
	backslashes := len(before) - len(strings.TrimRight(before, `\`))
	return ends && backslashes%2 == 0
}

// plausible finds what compiles and matches only what nobody asks for.
func (e *expression) plausible() error {
	literals := e.shape.literals
	switch {
	case misprint.MatchString(literals) && e.re.NumSubexp() == 0:
		return errors.New("it captures nothing; did you mean (?P<name>...)?")
	case misprint.MatchString(literals):
		return fmt.Errorf("%q is no group; did you mean (?P<name>...)?", misprint.FindString(literals))
	case e.shape.anchored && strings.HasPrefix(e.shape.prefix(), "/"):
		return errors.New("it can match no path, because the leading slash is not part of it; begin with what follows")
	}
	return nil
}

// misprint finds a group without its parenthesis or question mark, and a
// parameter of Path, which compile and match only themselves.
var misprint = regexp.MustCompile(`[pP]?<(\w+:)?\w+>`)

// compilePath makes an expression of a pattern with parameters, which matches all
// of a path or its beginning. It is never nil.
func compilePath(pattern string, types Converters, whole bool) (*expression, error) {
	e := &expression{source: pattern}
	b := pathBuilder{types: types}
	if err := b.build(pattern); err != nil {
		return e, err
	}
	if whole {
		b.expr.WriteString(`\z`)
	}
	re, err := regexp.Compile(b.expr.String())
	if err != nil {
		return e, err
	}
	e.use(re)
	if b.checked {
		e.checks, e.custom = b.checks, b.custom
	}
	return e, nil
}

// use takes what is to be known about re from it.
func (e *expression) use(re *regexp.Regexp) {
	e.re, e.groups = re, re.SubexpNames()
	e.named = slices.ContainsFunc(e.groups, func(name string) bool { return name != "" })
	e.shape = shapeOf(re)
	e.suffix = e.shape.suffix()
}

// pathBuilder writes the regular expression of a path with parameters.
type pathBuilder struct {
	types   Converters
	expr    strings.Builder
	checks  []func(text string) error // by group, of which the first is all of it
	checked bool
	custom  bool
	names   map[string]bool
}

func (b *pathBuilder) build(pattern string) error {
	switch {
	case strings.HasPrefix(pattern, "/"):
		return fmt.Errorf("write it without the leading slash: %q", strings.TrimLeft(pattern, "/"))
	case strings.HasPrefix(pattern, "^"), strings.HasSuffix(pattern, "$"), strings.Contains(pattern, "(?"), strings.Contains(pattern, `\`):
		return errors.New("it looks like a regular expression, which is for RePath; a parameter is written <slug:name>")
	}
	for _, other := range otherWays {
		if found := other.as.FindString(pattern); found != "" {
			return fmt.Errorf("%q stands for itself here; %s", found, other.advice)
		}
	}
	if err := canBeAsked(pattern); err != nil {
		return err
	}
	b.names = map[string]bool{}
	b.checks = []func(string) error{nil}
	b.expr.WriteString(`\A`)
	for {
		literal, rest, found := strings.Cut(pattern, "<")
		b.expr.WriteString(regexp.QuoteMeta(literal))
		switch {
		case strings.Contains(literal, ">"):
			return errors.New("a > has no <; a parameter is written <slug:name>")
		case !found:
			return nil
		}
		param, tail, closed := strings.Cut(rest, ">")
		if !closed {
			return errors.New("a < has no >; a parameter is written <slug:name>")
		}
		if err := b.param(param); err != nil {
			return err
		}
		pattern = tail
	}
}

// canBeAsked finds what no canonical path has. See protocol.Scope.RoutePath.
func canBeAsked(pattern string) error {
	if strings.Contains(pattern, "//") {
		return errors.New("it can match no path, because an empty segment is never matched")
	}
	if strings.ContainsFunc(pattern, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return errors.New("it can match no path, because control characters are never matched")
	}
	for segment := range strings.SplitSeq(pattern, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("it can match no path, because a segment %q is never matched", segment)
		}
	}
	return nil
}

// otherWays are what other routers understand, and Path does not.
//
//nolint:gochecknoglobals // a table
var otherWays = []struct {
	as     *regexp.Regexp
	advice string
}{
	{regexp.MustCompile(`\{[^/]*\}`), "a parameter is written <room> or <slug:room>"},
	{regexp.MustCompile(`(?:\A|/):\w+`), "a parameter is written <room> or <slug:room>"},
	{regexp.MustCompile(`\*`), "the rest of a path is written <path:rest>"},
	{regexp.MustCompile(`%[0-9a-fA-F]{2}`), "paths are decoded, so write the character"},
	{regexp.MustCompile(`\?`), "the query is no part of a path; Scope.Query has it"},
}

var identifier = regexp.MustCompile(`\A[a-zA-Z_][a-zA-Z0-9_]*\z`)

// param writes one parameter, without its brackets.
func (b *pathBuilder) param(param string) error {
	typ, name, typed := strings.Cut(param, ":")
	if !typed {
		typ, name = "str", param
	}
	conv, known := b.types.find(typ)
	switch {
	case !known:
		return fmt.Errorf("<%s>: no type %q; there are %s", param, typ, b.known())
	case !identifier.MatchString(name):
		return fmt.Errorf("<%s>: a name is made of ASCII letters, digits and _, and does not begin with a digit", param)
	case b.names[name]:
		return fmt.Errorf("<%s>: there are two parameters of this name", param)
	}
	if conv.Expr == "" {
		return fmt.Errorf("<%s>: the converter has no Expr", param)
	}
	re, err := regexp.Compile(conv.Expr)
	if err == nil {
		_, err = regexp.Compile("(" + conv.Expr + ")") // \Q without \E would take in what is behind it
	}
	if err != nil {
		return fmt.Errorf("<%s>: the converter: %w", param, err)
	}
	if re.NumSubexp() > 0 {
		return fmt.Errorf("<%s>: the converter's expression %q captures; write (?:...)", param, conv.Expr)
	}
	if anchors.MatchString(conv.Expr) {
		return fmt.Errorf("<%s>: the converter's expression %q is for the parameter only; leave out ^ and $", param, conv.Expr)
	}
	b.names[name] = true
	b.checks = append(b.checks, conv.Check)
	_, own := b.types[typ]
	b.checked = b.checked || conv.Check != nil
	b.custom = b.custom || own
	fmt.Fprintf(&b.expr, "(?P<%s>%s)", name, conv.Expr)
	return nil
}

// anchors finds what Django's converters do not have either.
var anchors = regexp.MustCompile(`\A\^|[^\\]\$\z`)

// known lists the types there are.
func (b *pathBuilder) known() string {
	names := append([]string{"str", "int", "slug", "uuid", "path", "group"}, slices.Collect(maps.Keys(b.types))...)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// bare is the same for expressions that match the same but for their checks:
// names of groups do not count, where they can be told from what is quoted.
func (e *expression) bare() string {
	expr := e.re.String()
	if strings.Contains(expr, "[(?") || strings.Contains(expr, `\Q`) {
		return expr
	}
	return groupName.ReplaceAllString(expr, "(")
}

var groupName = regexp.MustCompile(`\(\?P?<\w+>`)

// what is the same for expressions that match the same, unless they have checks
// of a program's own.
func (e *expression) what() string {
	var what strings.Builder
	what.WriteString(e.bare())
	for i, check := range e.checks {
		if check != nil {
			fmt.Fprintf(&what, "\n%d is checked", i)
		}
	}
	return what.String()
}

// match returns where the expression and its groups are found in path, as
// regexp.FindStringSubmatchIndex does, or nil. It uses buf if that is large
// enough.
func (e *expression) match(path routePath, buf []int) []int {
	var spans []int
	switch {
	case e.shape.exact:
		spans = e.shape.match(path.form, buf)
	case strings.HasSuffix(path.form, e.suffix): // which is quickly looked at
		spans = e.re.FindStringSubmatchIndex(path.form)
	}
	if spans == nil || !e.passes(path.text, spans) {
		return nil
	}
	return spans
}

// passes asks the converters.
func (e *expression) passes(path string, spans []int) bool {
	for i, check := range e.checks {
		if check != nil && check(path[spans[2*i]:spans[2*i+1]]) != nil {
			return false
		}
	}
	return true
}

// params are the named groups of a match that took part in it, and room for
// more.
func (e *expression) params(path string, spans []int, more int) []plumbing.Param {
	if !e.named {
		return make([]plumbing.Param, 0, more)
	}
	found := make([]plumbing.Param, 0, len(e.groups)-1+more)
	for i, name := range e.groups {
		if name != "" && spans[2*i] >= 0 {
			found = append(found, plumbing.Param{Name: name, Value: path[spans[2*i]:spans[2*i+1]]})
		}
	}
	return found
}

// args are the groups of a match, if none of them has a name.
func (e *expression) args(path string, spans []int) []string {
	if e.named || len(e.groups) == 1 {
		return nil
	}
	found := make([]string, len(e.groups)-1)
	for i := range found {
		if begin := spans[2*i+2]; begin >= 0 {
			found[i] = path[begin:spans[2*i+3]]
		}
	}
	return found
}
