package protocol

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
)

func TestTrimReason(t *testing.T) {
	t.Parallel()
	as := func(n int) string { return strings.Repeat("a", n) }
	for _, test := range []struct {
		at     testkit.Line
		reason string
		want   string
	}{
		{testkit.Here(), "", ""},
		{testkit.Here(), "bye", "bye"},
		{testkit.Here(), as(123), as(123)},
		{testkit.Here(), as(124), as(123)},
		{testkit.Here(), as(5000), as(123)},
		{testkit.Here(), as(121) + "é", as(121) + "é"}, // of two bytes, which fit
		{testkit.Here(), as(122) + "é", as(122)},       // or not
		{testkit.Here(), as(120) + "語", as(120) + "語"}, // of three
		{testkit.Here(), as(121) + "語", as(121)},
		{testkit.Here(), as(122) + "語", as(122)},
		{testkit.Here(), as(119) + "🦆", as(119) + "🦆"}, // of four
		{testkit.Here(), as(120) + "🦆", as(120)},
		{testkit.Here(), as(121) + "🦆", as(121)},
		{testkit.Here(), as(122) + "🦆", as(122)},
		{testkit.Here(), as(123) + "🦆", as(123)},
		{testkit.Here(), strings.Repeat("語", 41), strings.Repeat("語", 41)},
		{testkit.Here(), strings.Repeat("語", 42), strings.Repeat("語", 41)},
		{testkit.Here(), "a\xffb", "a\uFFFDb"},
		{testkit.Here(), as(122) + "\xff", as(122)}, // what replaces it is longer
		{testkit.Here(), "\xe8\xaa", "\uFFFD"},
	} {
		if got := trimReason(test.reason); got != test.want {
			t.Errorf("%s: trimReason(%q) is %q, want %q", test.at, test.reason, got, test.want)
		}
	}
}

func FuzzTrimReason(f *testing.F) {
	for _, seed := range []string{
		"", "bye", strings.Repeat("a", 124), strings.Repeat("a", 122) + "é", strings.Repeat("語", 42), strings.Repeat("🦆", 31),
		"\xff", strings.Repeat("a", 121) + "\xff\xff", strings.Repeat("\xe8\xaa", 70), "\xf0\x9f\xa6", "\x00", "\u2028",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reason string) {
		got, valid := trimReason(reason), strings.ToValidUTF8(reason, "\uFFFD")
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		if len(got) > plumbing.MaxCloseReason {
			t.Fatalf("%q has %d bytes", got, len(got))
		}
		if !strings.HasPrefix(valid, got) {
			t.Fatalf("%q is not how %q begins", got, valid)
		}
		if rest := valid[len(got):]; rest != "" {
			if _, size := utf8.DecodeRuneInString(rest); len(got)+size <= plumbing.MaxCloseReason {
				t.Fatalf("%q is cut to %q although one more rune fits", valid, got)
			}
		}
	})
}

func TestStatusSendable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at      testkit.Line
		in, out CloseStatus
	}{
		{testkit.Here(), CloseStatus{Code: 4001, Reason: "bye"}, CloseStatus{Code: 4001, Reason: "bye"}},
		{testkit.Here(), CloseStatus{Code: 1000, Reason: strings.Repeat("a", 200)}, CloseStatus{Code: 1000, Reason: strings.Repeat("a", 123)}},
		{testkit.Here(), CloseStatus{Code: CloseNoStatus, Reason: "bye"}, CloseStatus{Code: CloseInternalError}},
		{testkit.Here(), CloseStatus{Reason: "bye"}, CloseStatus{Code: CloseInternalError}},
	} {
		out := test.in.sendable()
		if changed := out.Code != test.in.Code; (out.Err != nil) != changed {
			t.Errorf("%s: %+v became %+v; want an error if the code was changed", test.at, test.in, out)
		}
		out.Err = nil
		if out != test.out {
			t.Errorf("%s: %+v became %+v, want %+v", test.at, test.in, out, test.out)
		}
	}
}
