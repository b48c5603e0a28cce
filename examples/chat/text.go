package main

import (
	"strings"
	"unicode"
)

// maxMarks is how many marks one letter may have. Tibetan has as many; more grow
// over the lines above and below.
const maxMarks = 4

const (
	blackFlag   = '\U0001f3f4' // with tags behind it, that of a part of a country
	maxFlagTags = 7
	blank       = '\u2800' // of Braille
)

// legible returns text without what cannot be seen, and without what changes how
// other text is shown. What is left are the characters of RFC 8264's FreeformClass,
// and what joins letters and emoji, where it does.
func legible(text string) string {
	v := viewer{}
	v.out.Grow(len(text))
	for _, r := range newlines.Replace(text) {
		v.see(r)
	}
	return strings.TrimFunc(v.out.String(), func(r rune) bool { return unicode.IsSpace(r) || r == blank })
}

// newlines are what starts a line in some programs; see line in lines.go.
var newlines = strings.NewReplacer("\r\n", "\n", "\u2028", "\n", "\u2029", "\n")

// viewer takes a text one character after the other, and keeps what can be seen.
type viewer struct {
	out    strings.Builder
	base   rune // the last character that others can be attached to; 0: none, because a line or a word starts
	joiner rune // comes before the next character, if that can be joined to base
	lines  int  // newlines since the last one that was no space

	variants, marks, tags int // attached to base
}

func (v *viewer) see(r rune) {
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

// attach keeps a character if base can have it, and has no more than most of them.
func (v *viewer) attach(r rune, n *int, most int) {
	if v.base != 0 && *n < most {
		*n++
		v.join(r)
	}
}

// join keeps a character, with the joiner that came before it.
func (v *viewer) join(r rune) {
	if v.base != 0 && v.joiner != 0 {
		v.out.WriteRune(v.joiner)
	}
	v.joiner = 0
	v.out.WriteRune(r)
}

// space keeps a space, and one empty line of several. Nothing is joined to it.
func (v *viewer) space(r rune) {
	v.base, v.joiner = 0, 0
	if r == '\n' {
		v.lines++
	}
	if r != '\n' || v.lines <= 2 {
		v.out.WriteRune(r)
	}
}

// hidden reports whether a character is not shown, or is not one. Emoji that are
// newer than package unicode are shown.
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
