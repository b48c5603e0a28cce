package router

import (
	"fmt"
	"strings"

	"github.com/wye-go/wye/internal/plumbing"
)

// invention makes up sketches. Its words are few, so that routes get into each
// other's way.
type invention struct {
	*dice
	names int // of routes
	lines int
}

// routes makes up those of a router.
func (v *invention) routes(depth int) []*sketch {
	var all []*sketch
	for range 1 + v.n(5) {
		if v.lines == mostLines {
			break
		}
		v.lines++
		all = append(all, v.route(depth))
	}
	return all
}

func (v *invention) route(depth int) *sketch {
	s := &sketch{kind: oneOf(v.dice, "re", "re", "path", "mount"), line: v.lines}
	switch {
	case s.kind != "re":
		s.pattern = v.path(s.kind == "mount")
	case v.n(2) == 0:
		s.pattern = v.usual()
	default:
		s.pattern = v.expr(2, new(int))
	}
	if v.n(2) == 0 {
		v.names++
		s.name = fmt.Sprintf("r%d", v.names)
	}
	if v.n(5) == 0 {
		s.extra = append(s.extra, plumbing.Param{Name: v.word(), Value: "extra"})
	}
	s.cover = oneOf(v.dice, "", "", "", "", "use", "wrap", "bare", "hide")
	nests := s.kind == "mount" && v.n(4) > 0 || v.n(8) == 0
	if s.nested = nests && depth < deepest; s.nested {
		s.inner = v.routes(depth + 1)
	} else {
		s.answer = oneOf(v.dice, "", "", "", "", "no", "teapot")
	}
	return s
}

// word is the name of a parameter.
func (v *invention) word() string { return oneOf(v.dice, "a", "b", "c") }

// path makes up a pattern of Path or Mount.
func (v *invention) path(mount bool) string {
	var b strings.Builder
	free := []string{"a", "b", "c", "d"}
	for i := range v.n(4) {
		if i > 0 {
			b.WriteString("/")
		}
		for range 1 + v.n(8)/6 {
			if len(free) == 0 || v.n(2) == 0 {
				b.WriteString(oneOf(v.dice, "ws", "ws", "a", "ab", "x", "-", "1", "\u00e9", "\ufffd", ".", "a/b"))
				continue
			}
			typ := oneOf(v.dice, "", "str:", "int:", "int:", "slug:", "slug:", "path:", "uuid:", "group:",
				"year:", "big:", "even:", "all:", "maybe:", "alt:", "lazy:", "fold:", "word:", "line:", "none:")
			b.WriteString("<" + typ + free[0] + ">")
			free = free[1:]
		}
	}
	if b.Len() > 0 && (mount || v.n(3) > 0) && v.n(8) > 0 {
		b.WriteString("/")
	}
	return b.String()
}

// usual makes up an expression as people write them.
func (v *invention) usual() string {
	var b strings.Builder
	b.WriteString(oneOf(v.dice, "^", "^", "^", "^", `\A`, ""))
	free := []string{"a", "b", "c", "d"}
	for i := range v.n(4) {
		if i > 0 {
			b.WriteString("/")
		}
		inside := oneOf(v.dice, `\w+`, `\w+`, `\d+`, `[^/]+`, `[^/]+`, `.+`, `.*`, `\d{4}`, `[a-z]{1,3}`, `[-\w]+`, `[^/]*`, `a|b`, `.+?`, `[a-z]`)
		switch v.n(4) {
		case 0:
			b.WriteString(oneOf(v.dice, "ws", "ws", "a", "ab", "x", "ws/a"))
		case 1:
			b.WriteString("(?P<" + free[i] + ">" + inside + ")")
		case 2:
			b.WriteString("(" + inside + ")")
		default:
			b.WriteString("(?:" + inside + ")")
		}
	}
	b.WriteString(oneOf(v.dice, "", "/", "/", "/?", "(?:/(?P<e>[a-z]+))?"))
	b.WriteString(oneOf(v.dice, "$", "$", "$", "", `\z`, `\b`))
	return b.String()
}

// expr makes up any expression. groups counts those with names.
func (v *invention) expr(depth int, groups *int) string {
	var b strings.Builder
	b.WriteString(oneOf(v.dice, "", "", "^", "^", `\A`, "(?i)", "(?s)^", "(?m)^", "(?U)^", "/"))
	for range v.n(5) {
		b.WriteString(v.atom(depth, groups))
		b.WriteString(oneOf(v.dice, "", "", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}", "{0}", "{0,2}?"))
	}
	b.WriteString(oneOf(v.dice, "", "", "$", "$", `\z`, `\b`, `(?m:$)`))
	return b.String()
}

func (v *invention) atom(depth int, groups *int) string {
	if depth > 0 && v.n(3) == 0 {
		inside := v.expr(depth-1, groups)
		switch v.n(6) {
		case 0:
			*groups++
			return fmt.Sprintf("(?P<%c>%s)", 'a'+*groups-1, inside)
		case 1:
			return "(" + inside + ")"
		case 2:
			return "(?:" + inside + ")"
		case 3:
			return "(?:" + inside + "|" + v.expr(depth-1, groups) + ")"
		case 4:
			return "(" + inside + "|" + v.expr(depth-1, groups) + ")"
		}
		return "(?" + oneOf(v.dice, "i", "s", "m", "U") + ":" + inside + ")"
	}
	return oneOf(v.dice, "ws", "ws/", "a", "b", "ab", "/", "/", "x", "1", "-", `\.`, "\u00e9", "\ufffd", `\x{d800}`,
		`\w`, `\d`, "[^/]", ".", "[a-z]", "[^a]", `[^\n]`, "(?s:.)", `\pL`, "[\u00e9-\u00fc]", `[\x00-\x{10FFFF}]`, `[^\x00-\x{10FFFF}]`,
		`[/a]`, `[\x80-\x{10FFFF}]`, "^", "$", `\b`, `\B`, `\A`, `\z`, "(?m:^)", "(?m:$)", "()", `\Qa.b\E`)
}
