package main

import (
	"strings"
	"unicode"
)

// maxMarks is how many combining marks one letter may have. Tibetan needs this many;
// more marks would cover the lines above and below.
const maxMarks = 4

const (
	blackFlag   = '\U0001f3f4' // followed by tags, it is the flag of a region
	maxFlagTags = 7
	blank       = '\u2800' // the empty Braille pattern
)

// legible returns text without invisible characters and without characters that change
// how other text is shown. It keeps the characters of the FreeformClass of RFC 8264,
// and the joiners that join two letters or emoji.
func legible(text string) string {
	v := filter{}
	v.out.Grow(len(text))
	for _, r := range newlines.Replace(text) {
		v.add(r)
	}
	return strings.TrimFunc(v.out.String(), func(r rune) bool { return unicode.IsSpace(r) || r == blank })
}

// newlines replaces the characters that start a line in some programs; see line in
// lines.go.
var newlines = strings.NewReplacer("\r\n", "\n", "\u2028", "\n", "\u2029", "\n")

// filter reads a text character by character, and writes the visible ones to out.
type filter struct {
	out    strings.Builder
	base   rune // the last character that others can be attached to; 0 at the start of a word or line
	joiner rune // a joiner to write before the next character, if that one can be joined to base
	lines  int  // newlines since the last character that is not a space

	variants, marks, tags int // how many are attached to base
}

func (v *filter) add(r rune) {
	switch {
	case r == '\u200c' || r == '\u200d':
		v.joiner = r
	case unicode.Is(unicode.Variation_Selector, r):
		v.attach(r, &v.variants, 1)
	case '\U000e0020' <= r && r <= '\U000e007f' && v.base == blackFlag: // tags
		v.attach(r, &v.tags, maxFlagTags)
	case hidden(r):
	case unicode.IsMark(r):
		v.attach(r, &v.marks, maxMarks)
	case unicode.IsSpace(r):
		v.space(r)
	default:
		v.join(r)
		v.base, v.lines = r, 0
		v.variants, v.marks, v.tags = 0, 0, 0
	}
}

// attach writes a character if base can have one more of its kind.
func (v *filter) attach(r rune, n *int, most int) {
	if v.base != 0 && *n < most {
		*n++
		v.join(r)
	}
}

// join writes a character, after the joiner that came before it.
func (v *filter) join(r rune) {
	if v.base != 0 && v.joiner != 0 {
		v.out.WriteRune(v.joiner)
	}
	v.joiner = 0
	v.out.WriteRune(r)
}

// space writes a space. It writes at most one empty line in a row.
func (v *filter) space(r rune) {
	v.base, v.joiner = 0, 0
	if r == '\n' {
		v.lines++
	}
	if r != '\n' || v.lines <= 2 {
		v.out.WriteRune(r)
	}
}

// hidden reports whether a character is invisible or not a character. Emoji that are
// newer than package unicode are visible.
func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		return true
	case '\U0001f000' <= r && r <= '\U0001faff':
		return false
	default:
		return !unicode.IsGraphic(r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
	}
}
