package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"go.mau.fi/util/confusable"
	"golang.org/x/text/secure/precis"
)

const (
	maxName      = 32      // characters
	maxNameMarks = 3       // on one letter
	guest        = "guest" // prefix of the names of people who have not chosen one
)

// folded is a name and its keys for comparison.
type folded struct {
	shown string
	same  string   // equal for names that are the same by RFC 8266
	looks []string // two names that have one of these in common look alike
}

// fold returns a name as it is shown, with the keys that other names must not share. It
// refuses names that could be misread.
func fold(wanted string) (n folded, err error) {
	wanted = simplify(wanted)
	if n.shown, err = precis.Nickname.String(wanted); err == nil {
		n.same, err = precis.Nickname.CompareKey(wanted)
	}
	switch {
	case err != nil || !fitsInLine(n.shown):
		return folded{}, refuse("bad", "A name consists of letters, digits, emoji, single spaces, and punctuation other than : and *.")
	case utf8.RuneCountInString(n.shown) > maxName:
		return folded{}, refuse("long", "That name is too long: 32 characters are the most.")
	case !oneScript(n.shown):
		return folded{}, refuse("mixed", "Use letters of one script only, so that the name cannot be confused with another.")
	}
	n.looks = []string{likeness(n.shown), likeness(n.same)}
	switch {
	case n.looks[0] == "" || n.looks[1] == "":
		return folded{}, refuse("bad", "A name needs a letter, a digit or an emoji.")
	case strings.HasPrefix(n.looks[0], guest) || strings.HasPrefix(n.looks[1], guest):
		return folded{}, refuse("guest", "Only guests have names that begin like that.")
	case looksLikeNotice(n.shown):
		return folded{}, refuse("bad", "That name could be taken for something else.")
	}
	return n, nil
}

// simplify replaces characters by simpler ones that look the same: it removes variation
// selectors and joiners of emoji, and writes O’Neill as O'Neill.
func simplify(wanted string) string {
	last := rune(0)
	return strings.Map(func(r rune) rune {
		before := last
		last = r
		switch {
		case unicode.Is(unicode.Variation_Selector, r):
			last = before
			return -1
		case r == '\u200d' && !unicode.IsLetter(before) && !unicode.IsMark(before):
			last = before
			return -1
		case r == '’':
			return '\''
		}
		return r
	}, wanted)
}

// fitsInLine reports whether a name has only characters that can stand in a line of
// text ("Ann: hello", "* Ann is here") without being read as a part of that line.
func fitsInLine(shown string) bool {
	marks := maxNameMarks // a mark needs a letter before it
	for _, r := range shown {
		switch {
		case unicode.IsMark(r):
			marks++
		case unicode.IsSpace(r) || unicode.IsPunct(r):
			marks = maxNameMarks
		default:
			marks = 0
		}
		if marks > maxNameMarks || !allowed(r) || looksLikeSeparator(r) {
			return false
		}
	}
	return shown != ""
}

func allowed(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r >= ' ' && r < '\x7f'
	case r == '·' || r == '・': // used inside Catalan and Japanese names
		return true
	case r == '\u200c' || r == '\u200d': // joiners that package precis has allowed
		return true
	case unicode.Is(unicode.Common, r) && unicode.IsLetter(r): // mostly symbols
		return r == 'ー' || r == 'ʻ' || r == 'ʼ'
	default:
		return unicode.In(r, unicode.L, unicode.M, unicode.Nd) || r == '〇' ||
			unicode.Is(emoji, r) && unicode.IsSymbol(r)
	}
}

// looksLikeSeparator reports whether a character looks like the ":" after a name or the
// "*" before a notice. Marks such as the visarga of Indian scripts do, but they follow
// letters of their script, where readers know them.
func looksLikeSeparator(r rune) bool {
	return !unicode.IsMark(r) && strings.ContainsAny(confusable.Skeleton(string(r)), ":*")
}

// emoji are the ranges of symbols that are pictures, except those that look like an
// asterisk.
var emoji = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x2600, 0x26b8, 1},
		{0x26ba, 0x2721, 1},
		{0x2728, 0x2728, 1},
		{0x2744, 0x2744, 1},
		{0x274c, 0x27bf, 1},
		{0x2b50, 0x2b55, 5},
	},
	R32: []unicode.Range32{
		{0x1f1e6, 0x1f1ff, 1}, // regional indicators: two of them are a flag
		{0x1f300, 0x1f6ff, 1},
		{0x1f7e0, 0x1f7f0, 1},
		{0x1f900, 0x1f9ff, 1},
		{0x1fa70, 0x1faff, 1},
	},
}

// scriptSets are scripts that are written together.
var scriptSets = [][]*unicode.RangeTable{
	{unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana},
	{unicode.Latin, unicode.Han, unicode.Hangul},
	{unicode.Latin, unicode.Han, unicode.Bopomofo},
}

// oneScript reports whether the letters are of one script, or of scripts that are
// written together. UTS 39 calls this level "Highly Restrictive".
func oneScript(shown string) bool {
	for _, row := range scriptSets {
		if usesOnly(shown, row) {
			return true
		}
	}
	for _, script := range unicode.Scripts {
		if usesOnly(shown, []*unicode.RangeTable{script}) {
			return true
		}
	}
	return false
}

// usesOnly reports whether all letters are of the given scripts.
func usesOnly(shown string, scripts []*unicode.RangeTable) bool {
	for _, r := range shown {
		if !unicode.In(r, unicode.Common, unicode.Inherited) && !unicode.In(r, scripts...) {
			return false
		}
	}
	return true
}

// likeness returns the key for names that look alike at a glance: the skeleton (UTS 39)
// without case, spaces and punctuation.
func likeness(shown string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case '\U0001f1e6' <= r && r <= '\U0001f1ff':
			return 'a' + r - '\U0001f1e6'
		case unicode.IsSpace(r) || unicode.IsPunct(r) || r < utf8.RuneSelf && unicode.IsSymbol(r):
			return -1
		}
		return r
	}, strings.ToLower(confusable.Skeleton(shown)))
}

// looksLikeNotice reports whether a name contains what lines of text add to a direct
// message.
func looksLikeNotice(shown string) bool {
	return strings.Contains(strings.ToLower(confusable.Skeleton(shown)), confusable.Skeleton("(only to "))
}
