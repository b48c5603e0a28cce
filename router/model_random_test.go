package router

import (
	"hash/fnv"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// random makes the choices of a test case: from the bytes of the fuzzer, and when they
// are used up from a generator that they have seeded.
type random struct {
	data []byte
	rest *rand.Rand
}

func newRandom(data []byte) *random {
	sum := fnv.New64a()
	_, _ = sum.Write(data)
	return &random{data: data, rest: rand.New(rand.NewPCG(sum.Sum64(), 1))}
}

// intN returns a number from 0 to k-1.
func (r *random) intN(k int) int {
	if len(r.data) == 0 {
		return r.rest.IntN(k)
	}
	b := r.data[0]
	r.data = r.data[1:]
	return int(b) % k
}

// pick returns an element of list.
func pick[T any](r *random, list ...T) T { return list[r.intN(len(list))] }

// sampleText returns a text that expr is likely to match.
func sampleText(r *random, expr string) string {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return expr
	}
	return sampleTree(r, tree)
}

func sampleTree(r *random, tree *syntax.Regexp) string {
	var b strings.Builder
	appendSample(r, tree, &b)
	return b.String()
}

const maxSample = 300

func appendSample(r *random, re *syntax.Regexp, b *strings.Builder) {
	if b.Len() > maxSample {
		return
	}
	var minCount, maxCount int
	switch re.Op {
	case syntax.OpLiteral:
		appendLiteral(r, re, b)
		return
	case syntax.OpCharClass:
		appendClass(r, re, b)
		return
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(pick(r, "a", "x", "7", "/", "-", "\u00e9", "\ufffd", "\xff", " ", "Z"))
		return
	case syntax.OpAlternate:
		appendSample(r, pick(r, re.Sub...), b)
		return
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			appendSample(r, sub, b)
		}
		return
	case syntax.OpQuest:
		minCount, maxCount = 0, 1
	case syntax.OpStar:
		minCount, maxCount = 0, pick(r, 1, 3, 25)
	case syntax.OpPlus:
		minCount, maxCount = 1, pick(r, 1, 3, 25)
	case syntax.OpRepeat:
		if minCount, maxCount = re.Min, re.Max; maxCount < 0 {
			maxCount = minCount + 3
		}
	default: // an assertion
		return
	}
	for range minCount + r.intN(maxCount-minCount+1) {
		appendSample(r, re.Sub[0], b)
	}
}

func appendLiteral(r *random, re *syntax.Regexp, b *strings.Builder) {
	text := string(re.Rune)
	if re.Flags&syntax.FoldCase != 0 {
		text = pick(r, text, strings.ToLower(text), strings.ToUpper(text))
	}
	b.WriteString(text)
}

func appendClass(r *random, re *syntax.Regexp, b *strings.Builder) {
	if len(re.Rune) == 0 {
		return
	}
	for range 4 { // prefer characters that are common in paths
		c := pick(r, 'a', 'b', '1', '0', '-', '_', 'x', '/', '\u00e9', utf8.RuneError)
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i] <= c && c <= re.Rune[i+1] {
				b.WriteString(pick(r, string(c), string(c), string(c), strings.ReplaceAll(string(c), "\ufffd", "\xc3")))
				return
			}
		}
	}
	i := 2 * r.intN(len(re.Rune)/2)
	b.WriteRune(re.Rune[i] + rune(r.intN(int(min(re.Rune[i+1]-re.Rune[i], 200))+1)))
}

// randomPathTo returns a path that is likely to lead to one of the routes.
func randomPathTo(r *random, routes []*routeSpec) string {
	path := pick(r, "/", "/", "/", "/", "/", "/", "", "//")
	for len(routes) > 0 {
		s := pick(r, routes...)
		path += sampleTree(r, s.ref.tree)
		path += pick(r, "", "", "", "", "", "/", "x")
		routes = s.inner
	}
	return path
}

// mutate returns path, or path with one change.
func mutate(r *random, path string) string {
	at := r.intN(len(path) + 1)
	before, after := path[:at], path[at:]
	switch r.intN(16) {
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
		return strings.Replace(path, "/", "\x1f", 1+r.intN(3))
	}
	return path
}

// randomValue returns a text for a group of an expression, which the group may match or not.
func randomValue(r *random, tree *syntax.Regexp, group string) (value string) {
	if found := namedGroup(tree, group); found != nil {
		value = sampleTree(r, found)
	}
	switch r.intN(8) {
	case 0:
		return mutate(r, value)
	case 1: // what another part of the expression matches
		return sampleTree(r, pick(r, subtrees(tree)...))
	}
	return value
}

func subtrees(re *syntax.Regexp) []*syntax.Regexp {
	parts := []*syntax.Regexp{re}
	for _, sub := range re.Sub {
		parts = append(parts, subtrees(sub)...)
	}
	return parts
}

func namedGroup(re *syntax.Regexp, name string) *syntax.Regexp {
	if re.Op == syntax.OpCapture && re.Name == name {
		return re
	}
	for _, sub := range re.Sub {
		if found := namedGroup(sub, name); found != nil {
			return found
		}
	}
	return nil
}
