package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/wye-go/wye/consumer/consumertest"
)

// TestNames: names that cannot be shown as one short line are refused by both
// protocols.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at       string
		in, want string // "" if it is refused
	}{
		{here(), "ann", "ann"},
		{here(), " ann\t", "ann"},
		{here(), "Jörg 世界 😀", "Jörg 世界 😀"},
		{here(), strings.Repeat("é", 32), strings.Repeat("é", 32)},
		{here(), "", ""},
		{here(), " \n ", ""},
		{here(), strings.Repeat("a", 65), ""},
		{here(), strings.Repeat("a", 30_000), ""},
		{here(), "ann\nbob: hello", ""},
		{here(), "ann\rbob", ""},
		{here(), "a\x00", ""},
		{here(), "a\u200bb", ""}, // zero width
		{here(), "a\u202eb", ""}, // right to left
		{here(), "\xff\xfe", ""},
		{here(), "\xe3\x81", ""},
	} {
		got, ok := cleanName(row.in)
		if got != row.want || ok != (row.want != "") {
			t.Errorf("%s: got %q, %t, want %q", row.at, got, ok, row.want)
		}
		synctest.Test(t, func(t *testing.T) {
			target := "/ws/chat/?uid=" + url.QueryEscape(row.in)
			if row.want == "" {
				if e := consumertest.Refused(t, chat(), target, nil); e.Status != http.StatusBadRequest {
					t.Errorf("%s: by WebSocket: refused with %d, want 400", row.at, e.Status)
				}
				if got := ask(t.Context(), newLongPoll(chat(), nil), send(row.in, "hello")); got.Status != http.StatusBadRequest {
					t.Errorf("%s: by long polling: answered with %d, want 400", row.at, got.Status)
				}
				return
			}
			c := consumertest.Connect(t, chat(), target, nil)
			c.SendText("hello")
			c.WantText(row.want + ": hello")
		})
	}
}

func FuzzCleanName(f *testing.F) {
	for _, seed := range []string{"ann", " ann ", "ann\nbob", "\xff\xfe", "a\u200bb", strings.Repeat("世", 30)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, ok := cleanName(name)
		again, still := cleanName(got)
		if ok != still || got != again || len(got) > maxName || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x00\u2028") {
			t.Errorf("%q became %q, %t", name, got, ok)
		}
	})
}
