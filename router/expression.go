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

// expression is what a route matches paths with: a regular expression, what is known about
// it, and the checks of its converters. It is immutable and shared by the copies of a
// route.
type expression struct {
	source string // the pattern or expression as the program has written it
	re     *regexp.Regexp
	groups []string                  // the names of re's groups; the first is the whole match
	named  bool                      // a group has a name, so only groups with a name count
	checks []func(text string) error // the Check of the converter of each group; nil if there is none
	custom bool                      // there are checks, and a converter is the program's own
	shape  shape
	suffix string // what every path that matches ends with
}

// compileExpr compiles the expression of RePath. The result is not nil, even with an error.
func compileExpr(expr string) (*expression, error) {
	e := &expression{source: expr}
	re, err := regexp.Compile(expr)
	if err != nil {
		return e, err
	}
	if endsInDollar(expr) {
		if re, err = regexp.Compile(`\A(?:` + expr + `)\z`); err != nil {
			return e, err // the expression has a \Q that quotes the parenthesis, too
		}
	}
	e.setRegexp(re)
	err = e.findMistake()
	return e, err
}

// endsInDollar reports whether the last character of expr is a $ that is not escaped.
func endsInDollar(expr string) bool {
	before, ends := strings.CutSuffix(expr, "$")
	backslashes := len(before) - len(strings.TrimRight(before, `\`))
	return ends && backslashes%2 == 0
}

// findMistake returns an error for an expression that compiles and is certainly not what
// its author meant.
func (e *expression) findMistake() error {
	literals := e.shape.literals
	switch {
	case brokenGroup.MatchString(literals) && e.re.NumSubexp() == 0:
		return errors.New("it captures nothing; did you mean (?P<name>...)?")
	case brokenGroup.MatchString(literals):
		return fmt.Errorf("%q is not a group; did you mean (?P<name>...)?", brokenGroup.FindString(literals))
	case e.shape.anchored && strings.HasPrefix(e.shape.prefix(), "/"):
		return errors.New("it can match no path, because the leading slash is not part of the path; leave it out")
	}
	return nil
}

// brokenGroup matches literals that look like a group without its parenthesis or question
// mark, or like a parameter of Path.
var brokenGroup = regexp.MustCompile(`[pP]?<(\w+:)?\w+>`)

// compilePath compiles the pattern of Path, which matches a whole path, or of Mount, which
// matches the beginning of one. The result is not nil, even with an error.
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
	e.setRegexp(re)
	if b.checked {
		e.checks, e.custom = b.checks, b.custom
	}
	return e, nil
}

// setRegexp sets re and the fields that follow from it.
func (e *expression) setRegexp(re *regexp.Regexp) {
	e.re, e.groups = re, re.SubexpNames()
	e.named = slices.ContainsFunc(e.groups, func(name string) bool { return name != "" })
	e.shape = shapeOf(re)
	e.suffix = e.shape.suffix()
}

// pathBuilder writes the regular expression of a pattern with parameters.
type pathBuilder struct {
	types   Converters
	expr    strings.Builder
	checks  []func(text string) error // by group; the first is the whole match
	checked bool                      // a converter has a Check
	custom  bool                      // a converter is the program's own
	names   map[string]bool
}

func (b *pathBuilder) build(pattern string) error {
	switch {
	case strings.HasPrefix(pattern, "/"):
		return fmt.Errorf("write it without the leading slash: %q", strings.TrimLeft(pattern, "/"))
	case strings.HasPrefix(pattern, "^"), strings.HasSuffix(pattern, "$"), strings.Contains(pattern, "(?"), strings.Contains(pattern, `\`):
		return errors.New("it looks like a regular expression; use RePath, or write a parameter as <slug:name>")
	}
	for _, other := range otherSyntaxes {
		if found := other.re.FindString(pattern); found != "" {
			return fmt.Errorf("%q has no special meaning here; %s", found, other.advice)
		}
	}
	if err := checkCanonical(pattern); err != nil {
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
			return errors.New("a > has no <; write a parameter as <slug:name>")
		case !found:
			return nil
		}
		param, tail, closed := strings.Cut(rest, ">")
		if !closed {
			return errors.New("a < has no >; write a parameter as <slug:name>")
		}
		if err := b.addParam(param); err != nil {
			return err
		}
		pattern = tail
	}
}

// checkCanonical returns an error if no canonical path can match pattern. See
// protocol.Scope.RoutePath.
func checkCanonical(pattern string) error {
	if strings.Contains(pattern, "//") {
		return errors.New("it can match no path, because it has an empty segment, which is never matched")
	}
	if strings.ContainsFunc(pattern, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return errors.New("it can match no path, because it has a control character, which is never matched")
	}
	for segment := range strings.SplitSeq(pattern, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("it can match no path, because it has a segment %q, which is never matched", segment)
		}
	}
	return nil
}

// otherSyntaxes are the patterns of other routers, which Path would match literally.
//
//nolint:gochecknoglobals // a table
var otherSyntaxes = []struct {
	re     *regexp.Regexp
	advice string
}{
	{regexp.MustCompile(`\{[^/]*\}`), "write a parameter as <room> or <slug:room>"},
	{regexp.MustCompile(`(?:\A|/):\w+`), "write a parameter as <room> or <slug:room>"},
	{regexp.MustCompile(`\*`), "write the rest of a path as <path:rest>"},
	{regexp.MustCompile(`%[0-9a-fA-F]{2}`), "paths are decoded, so write the character itself"},
	{regexp.MustCompile(`\?`), "the query is not part of the path; read it with Scope.Query"},
}

var identifier = regexp.MustCompile(`\A[a-zA-Z_][a-zA-Z0-9_]*\z`)

// addParam writes the group of one parameter, which param has without its brackets.
func (b *pathBuilder) addParam(param string) error {
	typ, name, typed := strings.Cut(param, ":")
	if !typed {
		typ, name = "str", param
	}
	conv, known := b.types.find(typ)
	switch {
	case !known:
		return fmt.Errorf("<%s>: no type %q; known types: %s", param, typ, b.knownTypes())
	case !identifier.MatchString(name):
		return fmt.Errorf("<%s>: a name consists of ASCII letters, digits and _, and does not begin with a digit", param)
	case b.names[name]:
		return fmt.Errorf("<%s>: two parameters have this name", param)
	}
	if conv.Expr == "" {
		return fmt.Errorf("<%s>: the converter has no Expr", param)
	}
	re, err := regexp.Compile(conv.Expr)
	if err == nil {
		_, err = regexp.Compile("(" + conv.Expr + ")") // fails if a \Q would quote the parenthesis, too
	}
	if err != nil {
		return fmt.Errorf("<%s>: the converter: %w", param, err)
	}
	if re.NumSubexp() > 0 {
		return fmt.Errorf("<%s>: the converter's expression %q has a capturing group; write (?:...)", param, conv.Expr)
	}
	if anchored.MatchString(conv.Expr) {
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

// anchored matches an expression that begins with ^ or ends in $.
var anchored = regexp.MustCompile(`\A\^|[^\\]\$\z`)

func (b *pathBuilder) knownTypes() string {
	names := append([]string{"str", "int", "slug", "uuid", "path", "group"}, slices.Collect(maps.Keys(b.types))...)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// withoutGroupNames returns the expression without the names of its groups. Two
// expressions with the same result match the same paths, apart from their checks. It keeps
// the names if it cannot tell them from quoted text.
func (e *expression) withoutGroupNames() string {
	expr := e.re.String()
	if strings.Contains(expr, "[(?") || strings.Contains(expr, `\Q`) {
		return expr
	}
	return groupName.ReplaceAllString(expr, "(")
}

var groupName = regexp.MustCompile(`\(\?P?<\w+>`)

// matchKey returns a key. Two expressions with the same key match the same paths, unless
// they have checks of the program's own.
func (e *expression) matchKey() string {
	var key strings.Builder
	key.WriteString(e.withoutGroupNames())
	for i, check := range e.checks {
		if check != nil {
			fmt.Fprintf(&key, "\n%d is checked", i)
		}
	}
	return key.String()
}

// match returns the spans of the match in path and of its groups, as
// regexp.FindStringSubmatchIndex does, or nil. It uses buf if that is large enough.
func (e *expression) match(path routePath, buf []int) []int {
	var spans []int
	switch {
	case e.shape.exact:
		spans = e.shape.match(path.form, buf)
	case strings.HasSuffix(path.form, e.suffix): // cheaper than the expression
		spans = e.re.FindStringSubmatchIndex(path.form)
	}
	if spans == nil || !e.passesChecks(path.decoded, spans) {
		return nil
	}
	return spans
}

func (e *expression) passesChecks(path string, spans []int) bool {
	for i, check := range e.checks {
		if check != nil && check(path[spans[2*i]:spans[2*i+1]]) != nil {
			return false
		}
	}
	return true
}

// params returns what the named groups have captured, without groups that took no part in
// the match, and with capacity for extra parameters.
func (e *expression) params(path string, spans []int, extra int) []plumbing.Param {
	if !e.named {
		return make([]plumbing.Param, 0, extra)
	}
	found := make([]plumbing.Param, 0, len(e.groups)-1+extra)
	for i, name := range e.groups {
		if name != "" && spans[2*i] >= 0 {
			found = append(found, plumbing.Param{Name: name, Value: path[spans[2*i]:spans[2*i+1]]})
		}
	}
	return found
}

// args returns what the groups have captured, if none of them has a name.
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
