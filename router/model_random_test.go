package router

import (
	"hash/fnv"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// dice are thrown for all that is made up: first what the fuzzer says, then what
// follows from it by chance.
type dice struct {
	data []byte
	more *rand.Rand
}

func newDice(data []byte) *dice {
	sum := fnv.New64a()
	_, _ = sum.Write(data)
	return &dice{data: data, more: rand.New(rand.NewPCG(sum.Sum64(), 1))}
}

// n is a number below k.
func (d *dice) n(k int) int {
	if len(d.data) == 0 {
		return d.more.IntN(k)
	}
	b := d.data[0]
	d.data = d.data[1:]
	return int(b) % k
}

// oneOf picks from a list.
func oneOf[T any](d *dice, list ...T) T { return list[d.n(len(list))] }

// sample is a text that expr is likely to match.
func sample(d *dice, expr string) string {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return expr
	}
	return sampleOf(d, tree)
}

func sampleOf(d *dice, tree *syntax.Regexp) string {
	var b strings.Builder
	sampleTree(d, tree, &b)
	return b.String()
}

const longestSample = 300

func sampleTree(d *dice, re *syntax.Regexp, b *strings.Builder) {
	if b.Len() > longestSample {
		return
	}
	var least, most int
	switch re.Op {
	case syntax.OpLiteral:
		sampleLiteral(d, re, b)
		return
	case syntax.OpCharClass:
		sampleClass(d, re, b)
		return
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(oneOf(d, "a", "x", "7", "/", "-", "\u00e9", "\ufffd", "\xff", " ", "Z"))
		return
	case syntax.OpAlternate:
		sampleTree(d, oneOf(d, re.Sub...), b)
		return
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			sampleTree(d, sub, b)
		}
		return
	case syntax.OpQuest:
		least, most = 0, 1
	case syntax.OpStar:
		least, most = 0, oneOf(d, 1, 3, 25)
	case syntax.OpPlus:
		least, most = 1, oneOf(d, 1, 3, 25)
	case syntax.OpRepeat:
		if least, most = re.Min, re.Max; most < 0 {
			most = least + 3
		}
	default: // a place
		return
	}
	for range least + d.n(most-least+1) {
		sampleTree(d, re.Sub[0], b)
	}
}

func sampleLiteral(d *dice, re *syntax.Regexp, b *strings.Builder) {
	text := string(re.Rune)
	if re.Flags&syntax.FoldCase != 0 {
		text = oneOf(d, text, strings.ToLower(text), strings.ToUpper(text))
	}
	b.WriteString(text)
}

func sampleClass(d *dice, re *syntax.Regexp, b *strings.Builder) {
	if len(re.Rune) == 0 {
		return
	}
	for range 4 { // what is in paths, if the class has it
		c := oneOf(d, 'a', 'b', '1', '0', '-', '_', 'x', '/', '\u00e9', utf8.RuneError)
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i] <= c && c <= re.Rune[i+1] {
				b.WriteString(oneOf(d, string(c), string(c), string(c), strings.ReplaceAll(string(c), "\ufffd", "\xc3")))
				return
			}
		}
	}
	i := 2 * d.n(len(re.Rune)/2)
	b.WriteRune(re.Rune[i] + rune(d.n(int(min(re.Rune[i+1]-re.Rune[i], 200))+1)))
}

// pathTo is a path that is likely to lead to one of the routes.
func pathTo(d *dice, routes []*sketch) string {
	path := oneOf(d, "/", "/", "/", "/", "/", "/", "", "//")
	for len(routes) > 0 {
		s := oneOf(d, routes...)
		path += sampleOf(d, s.plain.tree)
		path += oneOf(d, "", "", "", "", "", "/", "x")
		routes = s.inner
	}
	return path
}

// bent is path, or something near it.
func bent(d *dice, path string) string {
	at := d.n(len(path) + 1)
	before, after := path[:at], path[at:]
	switch d.n(16) {
	case 0:
		return strings.TrimSuffix(path, "/")
	case 1:
		return path + "/"
	case 2:
		return before + "/" + after
	case 3:
		return before + "\n" + after
	case 4:
		return before + "\xff" + after
	case 5:
		return before + "\u00e9" + after
	case 6:
		return before + "\ufffd" + after
	case 7:
		return before
	case 8:
		return after
	case 9:
		return before + after[min(1, len(after)):]
	case 10:
		return strings.ToUpper(path)
	case 11:
		return before + "99999999999999999999" + after
	case 12:
		return before + "\x1f" + after
	case 13:
		return strings.Replace(path, "/", "\x1f", 1+d.n(3))
	}
	return path
}

// valueOf is a text for a group of an expression.
func valueOf(d *dice, tree *syntax.Regexp, group string) (value string) {
	if found := groupOf(tree, group); found != nil {
		value = sampleOf(d, found)
	}
	switch d.n(8) {
	case 0:
		return bent(d, value)
	case 1: // something else that is in the path
		return sampleOf(d, oneOf(d, partsOf(tree)...))
	}
	return value
}

func partsOf(re *syntax.Regexp) []*syntax.Regexp {
	parts := []*syntax.Regexp{re}
	for _, sub := range re.Sub {
		parts = append(parts, partsOf(sub)...)
	}
	return parts
}

func groupOf(re *syntax.Regexp, name string) *syntax.Regexp {
	if re.Op == syntax.OpCapture && re.Name == name {
		return re
	}
	for _, sub := range re.Sub {
		if found := groupOf(sub, name); found != nil {
			return found
		}
	}
	return nil
}
