package router

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// shape is what can be said about a regular expression without running it: a row
// of pieces, one behind the other. The index is made of it, and expressions of
// the usual kind, literals and groups such as \w+ that end where the next
// literal begins, are matched by it alone.
//
// If anchored, whatever matches consists of what the pieces stand for, in this
// order, from the beginning of the path on; if ended, up to its end.
type shape struct {
	pieces   []piece
	anchored bool
	ended    bool
	exact    bool   // matching the pieces from left to right is the same as running the expression
	loose    bool   // there is a condition that no piece stands for, such as \b
	literals string // all literals there are, also those within alternatives
	groups   int    // with the whole
}

// piece is a part of a shape.
type piece struct {
	kind  pieceKind
	text  string // of a literal
	class *class // of a run
	least int    // how long a run is, in bytes
	most  int    // -1: any length
	slot  int    // of a mark
}

type pieceKind uint8

const (
	literal pieceKind = iota
	run               // as many as possible of a class
	mark              // where a group begins or ends: a place in what match returns
	wild              // anything without a slash, perhaps nothing
	rest              // anything
)

// class is a set of bytes. Bytes of runes beyond ASCII are in it all or none.
type class [4]uint64

func (c *class) add(lo, hi rune) {
	for b := lo; b <= hi && b < 256; b++ {
		c[b>>6] |= 1 << (b & 63)
	}
}

func (c *class) has(b byte) bool { return c[b>>6]>>(b&63)&1 != 0 }

// shapeOf looks at the expression's syntax tree.
func shapeOf(re *regexp.Regexp) shape {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return shape{pieces: []piece{{kind: rest}}} // it has been compiled, so there is no error
	}
	s := shape{exact: true, groups: re.NumSubexp() + 1}
	s.walk(tree)
	s.literals = literalsOf(tree)
	s.exact = s.exact && s.anchored && s.clear()
	return s
}

// walk adds what re stands for.
func (s *shape) walk(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpEmptyMatch:
	case syntax.OpBeginText:
		begins := len(s.solid()) == 0
		s.anchored = s.anchored || begins
		s.exact = s.exact && begins
		s.loose = s.loose || !begins
	case syntax.OpEndText:
		s.ended = true
	case syntax.OpLiteral:
		s.literal(re)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			s.walk(sub)
		}
	case syntax.OpCapture:
		s.pieces = append(s.pieces, piece{kind: mark, slot: 2 * re.Cap})
		s.walk(re.Sub[0])
		s.pieces = append(s.pieces, piece{kind: mark, slot: 2*re.Cap + 1})
	default:
		s.other(re)
	}
}

func (s *shape) literal(re *syntax.Regexp) {
	if re.Flags&syntax.FoldCase != 0 || slices.ContainsFunc(re.Rune, isOdd) || s.ended {
		s.vague(re)
		return
	}
	s.add(piece{kind: literal, text: string(re.Rune)})
}

// isOdd reports whether r matches something else than its text: RuneError also
// what is no UTF-8, and a surrogate, which no text has, nothing.
func isOdd(r rune) bool { return r == utf8.RuneError || !utf8.ValidRune(r) }

// other adds a run if re is one.
func (s *shape) other(re *syntax.Regexp) {
	p := piece{kind: run, least: re.Min, most: re.Max}
	of := re
	switch re.Op {
	case syntax.OpStar:
		p.least, p.most, of = 0, -1, re.Sub[0]
	case syntax.OpPlus:
		p.least, p.most, of = 1, -1, re.Sub[0]
	case syntax.OpRepeat:
		of = re.Sub[0]
	default:
		p.least, p.most = 1, 1
	}
	c, ok := classOf(of)
	if bounded := p.least > 1 || p.most >= 0; bounded && c.has(utf8.RuneSelf) {
		ok = false // runes beyond ASCII are more than a byte
	}
	if !ok || s.ended || re.Flags&syntax.NonGreedy != 0 {
		s.vague(re)
		return
	}
	p.class = &c
	s.add(p)
}

// vague adds something that the pieces cannot say exactly.
func (s *shape) vague(re *syntax.Regexp) {
	s.exact = false
	switch {
	case isEmpty(re):
		s.loose = true
	case mayHoldSlash(re):
		s.add(piece{kind: rest})
	default:
		s.add(piece{kind: wild})
	}
}

// add puts p behind the others. Literals that follow each other become one.
func (s *shape) add(p piece) {
	if n := len(s.pieces); p.kind == literal && n > 0 && s.pieces[n-1].kind == literal {
		s.pieces[n-1].text += p.text
		return
	}
	s.pieces = append(s.pieces, p)
}

// solid are the pieces that stand for a part of the path.
func (s *shape) solid() []piece {
	return slices.DeleteFunc(slices.Clone(s.pieces), func(p piece) bool { return p.kind == mark })
}

// clear reports whether it is clear where each run ends: where the next literal
// begins, the path ends, or the run is as long as it has to be.
func (s *shape) clear() bool {
	pieces := s.solid()
	for i, p := range pieces {
		switch {
		case p.kind == wild || p.kind == rest:
			return false
		case p.kind == literal || i == len(pieces)-1 || p.least == p.most:
		case pieces[i+1].kind != literal || p.class.has(pieces[i+1].text[0]):
			return false
		}
	}
	return true
}

// prefix is the literal that a match begins with.
func (s *shape) prefix() string {
	var text strings.Builder
	for _, p := range s.solid() {
		if p.kind != literal {
			break
		}
		text.WriteString(p.text)
	}
	return text.String()
}

// suffix is the literal that a match ends with, if that is the end of the path.
func (s *shape) suffix() string {
	pieces := s.solid()
	if n := len(pieces); s.ended && n > 0 && pieces[n-1].kind == literal {
		return pieces[n-1].text
	}
	return ""
}

// only reports whether a match is nothing but its prefix.
func (s *shape) only() bool {
	return !s.loose && !slices.ContainsFunc(s.solid(), func(p piece) bool { return p.kind != literal })
}

// behind reports whether a match is a literal at the beginning and anything behind
// it, or anything but nothing.
func (s *shape) behind() (follows, some bool) {
	pieces := s.solid()
	if s.loose || !s.anchored || len(pieces) == 0 || pieces[0].kind != literal {
		return false, false
	}
	if s.only() {
		return !s.ended, false
	}
	for len(pieces) > 1 && pieces[0].kind == literal {
		pieces = pieces[1:]
	}
	p := &pieces[0]
	follows = len(pieces) == 1 && p.kind == run && p.most < 0 && p.least < 2 && p.class.isAll()
	return follows, follows && p.least > 0
}

// all reports whether every path matches, or every one but the empty one.
// Newlines in paths are not worth a word.
func (s *shape) all() (all, butEmpty bool) {
	pieces := s.solid()
	switch {
	case s.loose:
	case len(pieces) == 0:
		return !s.ended, false
	case len(pieces) == 1 && pieces[0].kind == run:
		p := &pieces[0]
		all = p.most < 0 && p.least < 2 && p.class.isAll()
		return all, all && p.least > 0
	}
	return false, false
}

func (c *class) isAll() bool {
	d := *c
	d.add('\n', '\n')
	return d == class{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
}

// match is regexp.FindStringSubmatchIndex for a shape that is exact.
func (s *shape) match(path string, buf []int) []int {
	at := 0
	spans := slices.Grow(buf[:0], 2*s.groups)[:2*s.groups]
	for i := range s.pieces {
		p := &s.pieces[i]
		switch p.kind {
		case mark:
			spans[p.slot] = at
		case literal:
			if !strings.HasPrefix(path[at:], p.text) {
				return nil
			}
			at += len(p.text)
		default:
			begin := at
			if at = p.runFrom(path, at); at-begin < p.least {
				return nil
			}
		}
	}
	if s.ended && at < len(path) {
		return nil
	}
	spans[0], spans[1] = 0, at
	return spans
}

// runFrom is where the run ends that begins at begin.
func (p *piece) runFrom(path string, begin int) int {
	end := len(path)
	if p.most >= 0 && end-begin > p.most {
		end = begin + p.most
	}
	for i := begin; i < end; i++ {
		if !p.class.has(path[i]) {
			return i
		}
	}
	return end
}

// classOf is the set of bytes that re, one rune, can be. ok is false if re is
// something else, or has some runes beyond ASCII and not others.
func classOf(re *syntax.Regexp) (c class, ok bool) {
	switch re.Op { //nolint:exhaustive // nothing else is one rune
	case syntax.OpAnyChar:
		c.add(0, 255)
		return c, true
	case syntax.OpAnyCharNotNL:
		c.add(0, '\n'-1)
		c.add('\n'+1, 255)
		return c, true
	case syntax.OpCharClass:
		return classOfRanges(re.Rune)
	case syntax.OpLiteral:
		if len(re.Rune) != 1 || re.Flags&syntax.FoldCase != 0 || re.Rune[0] >= utf8.RuneSelf {
			return c, false
		}
		c.add(re.Rune[0], re.Rune[0])
		return c, true
	}
	return c, false
}

// classOfRanges is the set of a class, of which ranges are first and last runes.
func classOfRanges(ranges []rune) (c class, ok bool) {
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if hi >= utf8.RuneSelf && (lo > utf8.RuneSelf || hi != utf8.MaxRune) {
			return c, false
		}
		c.add(lo, min(hi, 255))
	}
	return c, true
}

// isEmpty reports whether re matches only nothing, somewhere.
func isEmpty(re *syntax.Regexp) bool {
	return re.Op == syntax.OpBeginLine || re.Op == syntax.OpEndLine ||
		re.Op == syntax.OpWordBoundary || re.Op == syntax.OpNoWordBoundary
}

// mayHoldSlash reports whether there can be a slash in what re matches.
func mayHoldSlash(re *syntax.Regexp) bool {
	switch re.Op { //nolint:exhaustive // all others are made of these
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpLiteral:
		return slices.Contains(re.Rune, '/')
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i] <= '/' && '/' <= re.Rune[i+1] {
				return true
			}
		}
	}
	return slices.ContainsFunc(re.Sub, mayHoldSlash)
}

// literalsOf are all literals of the tree, each behind a newline.
func literalsOf(re *syntax.Regexp) string {
	if re.Op == syntax.OpLiteral {
		return "\n" + string(re.Rune)
	}
	var all strings.Builder
	for _, sub := range re.Sub {
		all.WriteString(literalsOf(sub))
	}
	return all.String()
}
