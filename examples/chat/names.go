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
	guest        = "guest" // begins the names of those who have not chosen any
)

// folded is a name that somebody may have.
type folded struct {
	shown string
	same  string   // equal for names that are the same (RFC 8266)
	looks []string // names that have one of these in common look alike
}

// fold returns a name as it is shown, and what names that people take for the same
// have in common with it.
func fold(wanted string) (n folded, err error) {
	wanted = plain(wanted)
	if n.shown, err = precis.Nickname.String(wanted); err == nil {
		n.same, err = precis.Nickname.CompareKey(wanted)
	}
	switch {
	case err != nil || !readable(n.shown):
		return folded{}, refuse("bad", "A name is made of letters, digits, emoji, single spaces, and punctuation other than : and *.")
	case utf8.RuneCountInString(n.shown) > maxName:
		return folded{}, refuse("long", "That name is too long: 32 characters are the most.")
	case !oneScript(n.shown):
		return folded{}, refuse("mixed", "The letters of a name are of one script, so that it cannot be taken for another.")
	}
	n.looks = []string{likeness(n.shown), likeness(n.same)}
	switch {
	case n.looks[0] == "" || n.looks[1] == "":
		return folded{}, refuse("bad", "A name has a letter, a digit or an emoji.")
	case strings.HasPrefix(n.looks[0], guest) || strings.HasPrefix(n.looks[1], guest):
		return folded{}, refuse("guest", "Only guests have names that begin like that.")
	case mistaken(n.shown):
		return folded{}, refuse("bad", "That name could be taken for something else.")
	}
	return n, nil
}

// plain writes a name with fewer characters, where nobody sees a difference: emoji
// without variants and joiners, and O’Neill as O'Neill.
func plain(wanted string) string {
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

// readable reports whether a name has only characters that can stand in a line
// beside others ("Ann: hello", "* Ann is here") without being taken for a part of
// that line.
func readable(shown string) bool {
	marks := maxNameMarks // there is no letter for one yet
	for _, r := range shown {
		switch {
		case unicode.IsMark(r):
			marks++
		case unicode.IsSpace(r) || unicode.IsPunct(r):
			marks = maxNameMarks
		default:
			marks = 0
		}
		if marks > maxNameMarks || !allowed(r) || punctual(r) {
			return false
		}
	}
	return shown != ""
}

func allowed(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r >= ' ' && r < '\x7f'
	case r == '·' || r == '・': // between names: Catalan, Japanese
		return true
	case r == '\u200c' || r == '\u200d': // joiners, where package precis has let them pass
		return true
	case unicode.Is(unicode.Common, r) && unicode.IsLetter(r): // signs, mostly
		return r == 'ー' || r == 'ʻ' || r == 'ʼ'
	default:
		return unicode.In(r, unicode.L, unicode.M, unicode.Nd) || r == '〇' ||
			unicode.Is(emoji, r) && unicode.IsSymbol(r)
	}
}

// punctual reports whether a character looks like the ":" behind a name or the "*"
// before a notice. Marks that do, such as India's visarga, stand behind letters of
// their script, where that is read as it is meant.
func punctual(r rune) bool {
	return !unicode.IsMark(r) && strings.ContainsAny(confusable.Skeleton(string(r)), ":*")
}

// emoji are where the pictures are among the symbols, but for those that look like an
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
		{0x1f1e6, 0x1f1ff, 1}, // letters, two of which are a flag
		{0x1f300, 0x1f6ff, 1},
		{0x1f7e0, 0x1f7f0, 1},
		{0x1f900, 0x1f9ff, 1},
		{0x1fa70, 0x1faff, 1},
	},
}

// together are scripts that are written beside each other.
var together = [][]*unicode.RangeTable{
	{unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana},
	{unicode.Latin, unicode.Han, unicode.Hangul},
	{unicode.Latin, unicode.Han, unicode.Bopomofo},
}

// oneScript reports whether the letters are of one script, or of scripts that are
// written together: the level "Highly Restrictive" of UTS 39.
func oneScript(shown string) bool {
	for _, row := range together {
		if written(shown, row) {
			return true
		}
	}
	for _, script := range unicode.Scripts {
		if written(shown, []*unicode.RangeTable{script}) {
			return true
		}
	}
	return false
}

// written reports whether the letters are of some of the scripts.
func written(shown string, scripts []*unicode.RangeTable) bool {
	for _, r := range shown {
		if !unicode.In(r, unicode.Common, unicode.Inherited) && !unicode.In(r, scripts...) {
			return false
		}
	}
	return true
}

// likeness is what people see of a name who do not look closely: its skeleton (UTS 39),
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

// mistaken reports whether a name says something in lines of text.
func mistaken(shown string) bool {
	return strings.Contains(strings.ToLower(confusable.Skeleton(shown)), confusable.Skeleton("(only to "))
}
