package router

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// shape is what the syntax tree of a regular expression says about the texts that it
// matches. It is a sequence of pieces: whatever matches consists of a text for each
// piece, in this order.
//
// Shapes are what the index and the search for conflicts work on. An exact shape also
// matches paths itself, with the result of package regexp and without its allocation.
type shape struct {
	pieces    []piece
	anchored  bool   // a match begins at the beginning of the path
	toEnd     bool   // a match ends at the end of the path
	exact     bool   // match has the result of the expression
	assertion bool   // the expression has a condition that no piece stands for, such as \b
	literals  string // all literals of the expression, each behind a newline, also those in alternatives
	groups    int    // the number of groups, with the whole expression as the first
}

// piece stands for a part of each path that matches.
type piece struct {
	kind   pieceKind
	text   string // of a literalPiece
	class  *class // of a runPiece
	minLen int    // of a runPiece, in bytes
	maxLen int    // of a runPiece, in bytes; -1 is unlimited
	slot   int    // of a groupPiece: the index in the result of match
}

type pieceKind uint8

const (
	literalPiece pieceKind = iota // this text
	runPiece                      // as many bytes of a class as possible
	groupPiece                    // no text: a group begins or ends here
	noSlashPiece                  // any text without a slash, possibly empty
	anyPiece                      // any text, possibly empty
)

// class is a set of bytes. It has all bytes of the characters beyond ASCII, or none.
type class [4]uint64

func (c *class) add(lo, hi rune) {
	for b := lo; b <= hi && b < 256; b++ {
		c[b>>6] |= 1 << (b & 63)
	}
}

func (c *class) has(b byte) bool { return c[b>>6]>>(b&63)&1 != 0 }

// shapeOf returns the shape of re.
func shapeOf(re *regexp.Regexp) shape {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return shape{pieces: []piece{{kind: anyPiece}}} // unreachable: re has been compiled
	}
	s := shape{exact: true, groups: re.NumSubexp() + 1}
	s.addTree(tree)
	s.literals = literalsOf(tree)
	s.exact = s.exact && s.anchored && s.isUnambiguous()
	return s
}

// addTree adds the pieces that re stands for.
func (s *shape) addTree(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpEmptyMatch:
	case syntax.OpBeginText:
		atBeginning := len(s.textPieces()) == 0
		s.anchored = s.anchored || atBeginning
		s.exact = s.exact && atBeginning
		s.assertion = s.assertion || !atBeginning
	case syntax.OpEndText:
		s.toEnd = true
	case syntax.OpLiteral:
		s.addLiteral(re)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			s.addTree(sub)
		}
	case syntax.OpCapture:
		s.pieces = append(s.pieces, piece{kind: groupPiece, slot: 2 * re.Cap})
		s.addTree(re.Sub[0])
		s.pieces = append(s.pieces, piece{kind: groupPiece, slot: 2*re.Cap + 1})
	default:
		s.addRun(re)
	}
}

func (s *shape) addLiteral(re *syntax.Regexp) {
	if re.Flags&syntax.FoldCase != 0 || slices.ContainsFunc(re.Rune, isNotItsText) || s.toEnd {
		s.addInexact(re)
		return
	}
	s.add(piece{kind: literalPiece, text: string(re.Rune)})
}

// isNotItsText reports whether r, in a literal, matches something else than the text
// that it is encoded as: RuneError also matches bytes that are not UTF-8, and a surrogate
// matches nothing.
func isNotItsText(r rune) bool { return r == utf8.RuneError || !utf8.ValidRune(r) }

// addRun adds a runPiece if re is a repeated class, and an inexact piece otherwise.
func (s *shape) addRun(re *syntax.Regexp) {
	p := piece{kind: runPiece, minLen: re.Min, maxLen: re.Max}
	of := re
	switch re.Op {
	case syntax.OpStar:
		p.minLen, p.maxLen, of = 0, -1, re.Sub[0]
	case syntax.OpPlus:
		p.minLen, p.maxLen, of = 1, -1, re.Sub[0]
	case syntax.OpRepeat:
		of = re.Sub[0]
	default:
		p.minLen, p.maxLen = 1, 1
	}
	c, ok := classOf(of)
	if bounded := p.minLen > 1 || p.maxLen >= 0; bounded && c.has(utf8.RuneSelf) {
		ok = false // the expression counts characters, and those beyond ASCII have several bytes
	}
	if !ok || s.toEnd || re.Flags&syntax.NonGreedy != 0 {
		s.addInexact(re)
		return
	}
	p.class = &c
	s.add(p)
}

// addInexact adds a piece for re that stands for more texts than re matches.
func (s *shape) addInexact(re *syntax.Regexp) {
	s.exact = false
	switch {
	case isAssertion(re):
		s.assertion = true
	case mayHoldSlash(re):
		s.add(piece{kind: anyPiece})
	default:
		s.add(piece{kind: noSlashPiece})
	}
}

// add appends p. Adjacent literals become one.
func (s *shape) add(p piece) {
	if n := len(s.pieces); p.kind == literalPiece && n > 0 && s.pieces[n-1].kind == literalPiece {
		s.pieces[n-1].text += p.text
		return
	}
	s.pieces = append(s.pieces, p)
}

// textPieces returns the pieces that stand for a part of the path.
func (s *shape) textPieces() []piece {
	return slices.DeleteFunc(slices.Clone(s.pieces), func(p piece) bool { return p.kind == groupPiece })
}

// isUnambiguous reports whether a walk from left to right knows where each run ends: at
// its length, at the end of the path, or at the next literal, which begins with a byte
// that is not in the class of the run.
func (s *shape) isUnambiguous() bool {
	pieces := s.textPieces()
	for i, p := range pieces {
		switch {
		case p.kind == noSlashPiece || p.kind == anyPiece:
			return false
		case p.kind == literalPiece || i == len(pieces)-1 || p.minLen == p.maxLen:
		case pieces[i+1].kind != literalPiece || p.class.has(pieces[i+1].text[0]):
			return false
		}
	}
	return true
}

// prefix returns the literal that every match begins with.
func (s *shape) prefix() string {
	var text strings.Builder
	for _, p := range s.textPieces() {
		if p.kind != literalPiece {
			break
		}
		text.WriteString(p.text)
	}
	return text.String()
}

// suffix returns the literal that every path that matches ends with.
func (s *shape) suffix() string {
	pieces := s.textPieces()
	if n := len(pieces); s.toEnd && n > 0 && pieces[n-1].kind == literalPiece {
		return pieces[n-1].text
	}
	return ""
}

// isLiteral reports whether the only text that matches is the prefix.
func (s *shape) isLiteral() bool {
	return !s.assertion && !slices.ContainsFunc(s.textPieces(), func(p piece) bool { return p.kind != literalPiece })
}

// matchesAllWithPrefix reports in all whether every path that begins with the prefix
// matches, and in notEmpty whether the prefix by itself is the exception. It does not
// consider newlines, which no canonical path has.
func (s *shape) matchesAllWithPrefix() (all, notEmpty bool) {
	pieces := s.textPieces()
	if s.assertion || !s.anchored && len(pieces) > 0 && pieces[0].kind == literalPiece {
		return false, false
	}
	for len(pieces) > 0 && pieces[0].kind == literalPiece {
		pieces = pieces[1:]
	}
	switch len(pieces) {
	case 0:
		return !s.toEnd, false
	case 1:
		p := &pieces[0]
		all = p.kind == runPiece && p.maxLen < 0 && p.minLen < 2 && p.class.hasAllButNewline()
		return all, all && p.minLen > 0
	}
	return false, false
}

func (c *class) hasAllButNewline() bool {
	d := *c
	d.add('\n', '\n')
	return d == class{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
}

// match has the result of regexp.FindStringSubmatchIndex. The shape must be exact. It
// uses buf if that is large enough.
func (s *shape) match(path string, buf []int) []int {
	at := 0
	spans := slices.Grow(buf[:0], 2*s.groups)[:2*s.groups]
	for i := range s.pieces {
		p := &s.pieces[i]
		switch p.kind {
		case groupPiece:
			spans[p.slot] = at
		case literalPiece:
			if !strings.HasPrefix(path[at:], p.text) {
				return nil
			}
			at += len(p.text)
		default:
			begin := at
			if at = p.runEnd(path, at); at-begin < p.minLen {
				return nil
			}
		}
	}
	if s.toEnd && at < len(path) {
		return nil
	}
	spans[0], spans[1] = 0, at
	return spans
}

// runEnd returns where the run ends that begins at begin.
func (p *piece) runEnd(path string, begin int) int {
	end := len(path)
	if p.maxLen >= 0 && end-begin > p.maxLen {
		end = begin + p.maxLen
	}
	for i := begin; i < end; i++ {
		if !p.class.has(path[i]) {
			return i
		}
	}
	return end
}

// classOf returns the bytes of the characters that re, which matches one character,
// matches. ok is false if re is something else, or matches some characters beyond ASCII and
// not all.
func classOf(re *syntax.Regexp) (c class, ok bool) {
	switch re.Op { //nolint:exhaustive // no other operation matches one character
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

// classOfRanges is classOf for the ranges of a character class: pairs of a first and a
// last character.
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

// isAssertion reports whether re is a condition on a position and matches no text.
func isAssertion(re *syntax.Regexp) bool {
	return re.Op == syntax.OpBeginLine || re.Op == syntax.OpEndLine ||
		re.Op == syntax.OpWordBoundary || re.Op == syntax.OpNoWordBoundary
}

// mayHoldSlash reports whether a text that re matches can have a slash.
func mayHoldSlash(re *syntax.Regexp) bool {
	switch re.Op { //nolint:exhaustive // all other operations consist of these
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

// literalsOf returns the literals of the tree, each behind a newline.
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
