package chatload

import (
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

func TestText(t *testing.T) {
	t.Parallel()
	for who := range 100 {
		for n := range 100 {
			want := id{who, n}
			text := want.text()
			if got, err := parse(text); err != nil || got != want {
				t.Fatalf("%q is %v, %v, want %v", text, got, err, want)
			}
			if text != strings.TrimSpace(text) || len([]rune(text)) > 2000 {
				t.Fatalf("the chat would change %q", text)
			}
			if _, err := parse(text[:len(text)-1]); err == nil {
				t.Fatalf("%q is taken without its end", text)
			}
		}
	}
}

func TestSpoken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at               testkit.Line
		line, name, text string
	}{
		{testkit.Here(), "Ann: hello: you", "Ann", "hello: you"},
		{testkit.Here(), "Ann B (only to you): hello", "Ann B", "hello"},
		{testkit.Here(), "Ann (only to Bob): hello", "Ann", "hello"},
		{testkit.Here(), "* Ann is here", "", ""},
		{testkit.Here(), "* Slow down, please: say that again in 1s.", "", ""},
	} {
		name, text, ok := spoken(row.line)
		if name != row.name || text != row.text || ok != (row.name != "") {
			t.Errorf("%s: got %q, %q, %v", row.at, name, text, ok)
		}
	}
}
