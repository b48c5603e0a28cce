package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"
)

func TestLegible(t *testing.T) {
	t.Parallel()
	marks := func(n int) string { return strings.Repeat("\u0335", n) }
	for _, row := range []struct{ at, text, want string }{
		{here(), "hello, Bob", "hello, Bob"},
		{here(), "你好 🙂 Grüße", "你好 🙂 Grüße"},
		{here(), " \n a\tb \n ", "a\tb"},
		{here(), "a\r\nb\u2028c\u2029d", "a\nb\nc\nd"},
		{here(), "a\n\n\n\nb\n \n \nc", "a\n\nb\n \n c"},

		// Invisible characters.
		{here(), strings.Repeat("\u200b", 2000), ""},
		{here(), "\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u3164\uffa0\u17b4\u180e\U000e0001", ""},
		{here(), "a\u200b\u2060\ufeff\u00adb", "ab"},
		{here(), "a\x00\x07\x1b[2J\x7f\u0085b", "a[2Jb"},
		{here(), "\u202eabc\u2066\u061c\u200f", "abc"}, // changes the direction of the text
		{here(), "\U0001d173\ufff9\U000f0000\ue000\ufdd0", ""},
		{here(), "\u2800\u2800", ""},
		{here(), "\ufe0f\ufe0f", ""},
		{here(), "a\xffb", "a\ufffdb"},

		// Characters that join others, or are a part of them.
		{here(), "👨‍👩‍👧‍👦 ❤️ 1️⃣ 👩🏽", "👨‍👩‍👧‍👦 ❤️ 1️⃣ 👩🏽"},
		{here(), "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"},
		{here(), "🏴" + strings.Repeat("\U000e0067", 100) + "x", "🏴" + strings.Repeat("\U000e0067", maxFlagTags) + "x"},
		{here(), "x\U000e0067y", "xy"},
		{here(), "❤\ufe0f\ufe0f\ufe0e", "❤\ufe0f"},
		{here(), "می\u200cخواهم", "می\u200cخواهم"},
		{here(), "র\u200d্য", "র\u200d্য"},
		{here(), "a\u200d\u200d\u200cb", "a\u200cb"},
		{here(), "a\u200d b\u200d", "a b"},
		{here(), "\u200da", "a"},
		{here(), "\U0001fae9", "\U0001fae9"}, // an emoji that is newer than package unicode

		// Marks.
		{here(), "e\u0301 ཧཱུྃ", "e\u0301 ཧཱུྃ"},
		{here(), "a" + marks(100) + "b" + marks(5), "a" + marks(maxMarks) + "b" + marks(maxMarks)},
		{here(), marks(3) + "a\n" + marks(3) + "b " + marks(3), "a\nb"},
		{here(), "a\u200b" + marks(9), "a" + marks(maxMarks)},
	} {
		if got := legible(row.text); got != row.want {
			t.Errorf("%s: %+q is %+q, want %+q", row.at, row.text, got, row.want)
		}
	}
}

// TestLengthCountsVisible: invisible characters are neither stored nor counted.
func TestLengthCountsVisible(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		ann := enter(t, c, "Ann", "/ws/123/")
		ann.say(strings.Repeat("\u200b", 2000))
		ann.wantRefused("empty")
		ann.say("a" + strings.Repeat("\u0301", 1999)) // more marks than allowed
		ann.wantSaid("Ann", "a"+strings.Repeat("\u0301", maxMarks))
		ann.say(strings.Repeat("x\u200b", 2000))
		ann.wantSaid("Ann", strings.Repeat("x", 2000))
		ann.say(strings.Repeat("x", 2001))
		ann.wantRefused("long")
	})
}

func FuzzLegible(f *testing.F) {
	for _, seed := range []string{"hello", "a\r\nb", "\u200b", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "a\u0335\u0335", "\xff", "a\u2800\u0301\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := legible(text)
		if again := legible(got); again != got {
			t.Errorf("%+q is %+q, and then %+q", text, got, again)
		}
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r\u200b\u202e\ufeff") {
			t.Errorf("%+q is %+q", text, got)
		}
	})
}
