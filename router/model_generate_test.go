package router

import (
	"fmt"
	"strings"

	"github.com/wye-go/wye/internal/plumbing"
)

// generator makes random specs. It uses few different texts, so that routes often match the
// same paths.
type generator struct {
	*random
	names int // how many routes have a name
	lines int // how many routes there are
}

// routes returns the routes of one router.
func (g *generator) routes(depth int) []*routeSpec {
	var all []*routeSpec
	for range 1 + g.intN(5) {
		if g.lines == maxLines {
			break
		}
		g.lines++
		all = append(all, g.route(depth))
	}
	return all
}

func (g *generator) route(depth int) *routeSpec {
	s := &routeSpec{kind: pick(g.random, "re", "re", "path", "mount"), line: g.lines}
	switch {
	case s.kind != "re":
		s.pattern = g.pattern(s.kind == "mount")
	case g.intN(2) == 0:
		s.pattern = g.usualExpr()
	default:
		s.pattern = g.anyExpr(2, new(int))
	}
	if g.intN(2) == 0 {
		g.names++
		s.name = fmt.Sprintf("r%d", g.names)
	}
	if g.intN(5) == 0 {
		s.extra = append(s.extra, plumbing.Param{Name: g.paramName(), Value: "extra"})
	}
	s.middleware = pick(g.random, "", "", "", "", "use", "wrap", "bare", "hide")
	nests := s.kind == "mount" && g.intN(4) > 0 || g.intN(8) == 0
	if s.nested = nests && depth < maxDepth; s.nested {
		s.inner = g.routes(depth + 1)
	} else {
		s.answer = pick(g.random, "", "", "", "", "no", "teapot")
	}
	return s
}

// paramName returns the name of a parameter.
func (g *generator) paramName() string { return pick(g.random, "a", "b", "c") }

// pattern returns a pattern of Path or Mount.
func (g *generator) pattern(mount bool) string {
	var b strings.Builder
	free := []string{"a", "b", "c", "d"}
	for i := range g.intN(4) {
		if i > 0 {
			b.WriteString("/")
		}
		for range 1 + g.intN(8)/6 {
			if len(free) == 0 || g.intN(2) == 0 {
				b.WriteString(pick(g.random, "ws", "ws", "a", "ab", "x", "-", "1", "\u00e9", "\ufffd", ".", "a/b"))
				continue
			}
			typ := pick(g.random, "", "str:", "int:", "int:", "slug:", "slug:", "path:", "uuid:", "group:",
				"year:", "big:", "even:", "all:", "maybe:", "alt:", "lazy:", "fold:", "word:", "line:", "none:")
			b.WriteString("<" + typ + free[0] + ">")
			free = free[1:]
		}
	}
	if b.Len() > 0 && (mount || g.intN(3) > 0) && g.intN(8) > 0 {
		b.WriteString("/")
	}
	return b.String()
}

// usualExpr returns an expression of the kind that programs have.
func (g *generator) usualExpr() string {
	var b strings.Builder
	b.WriteString(pick(g.random, "^", "^", "^", "^", `\A`, ""))
	free := []string{"a", "b", "c", "d"}
	for i := range g.intN(4) {
		if i > 0 {
			b.WriteString("/")
		}
		inside := pick(g.random, `\w+`, `\w+`, `\d+`, `[^/]+`, `[^/]+`, `.+`, `.*`, `\d{4}`, `[a-z]{1,3}`, `[-\w]+`, `[^/]*`, `a|b`, `.+?`, `[a-z]`)
		switch g.intN(4) {
		case 0:
			b.WriteString(pick(g.random, "ws", "ws", "a", "ab", "x", "ws/a"))
		case 1:
			b.WriteString("(?P<" + free[i] + ">" + inside + ")")
		case 2:
			b.WriteString("(" + inside + ")")
		default:
			b.WriteString("(?:" + inside + ")")
		}
	}
	b.WriteString(pick(g.random, "", "/", "/", "/?", "(?:/(?P<e>[a-z]+))?"))
	b.WriteString(pick(g.random, "$", "$", "$", "", `\z`, `\b`))
	return b.String()
}

// anyExpr returns an expression of any kind. groups counts the groups with a name.
func (g *generator) anyExpr(depth int, groups *int) string {
	var b strings.Builder
	b.WriteString(pick(g.random, "", "", "^", "^", `\A`, "(?i)", "(?s)^", "(?m)^", "(?U)^", "/"))
	for range g.intN(5) {
		b.WriteString(g.atom(depth, groups))
		b.WriteString(pick(g.random, "", "", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}", "{0}", "{0,2}?"))
	}
	b.WriteString(pick(g.random, "", "", "$", "$", `\z`, `\b`, `(?m:$)`))
	return b.String()
}

func (g *generator) atom(depth int, groups *int) string {
	if depth > 0 && g.intN(3) == 0 {
		inside := g.anyExpr(depth-1, groups)
		switch g.intN(6) {
		case 0:
			*groups++
			return fmt.Sprintf("(?P<%c>%s)", 'a'+*groups-1, inside)
		case 1:
			return "(" + inside + ")"
		case 2:
			return "(?:" + inside + ")"
		case 3:
			return "(?:" + inside + "|" + g.anyExpr(depth-1, groups) + ")"
		case 4:
			return "(" + inside + "|" + g.anyExpr(depth-1, groups) + ")"
		}
		return "(?" + pick(g.random, "i", "s", "m", "U") + ":" + inside + ")"
	}
	return pick(g.random, "ws", "ws/", "a", "b", "ab", "/", "/", "x", "1", "-", `\.`, "\u00e9", "\ufffd", `\x{d800}`,
		`\w`, `\d`, "[^/]", ".", "[a-z]", "[^a]", `[^\n]`, "(?s:.)", `\pL`, "[\u00e9-\u00fc]", `[\x00-\x{10FFFF}]`, `[^\x00-\x{10FFFF}]`,
		`[/a]`, `[\x80-\x{10FFFF}]`, "^", "$", `\b`, `\B`, `\A`, `\z`, "(?m:^)", "(?m:$)", "()", `\Qa.b\E`)
}
