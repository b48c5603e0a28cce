package layers_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
)

func TestValidName(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		name string
		err  string // "": valid
	}{
		{testkit.Here(), "a", ""},
		{testkit.Here(), "chat.123", ""},
		{testkit.Here(), "azAZ09-_.", ""},
		{testkit.Here(), ".", ""},
		{testkit.Here(), "-x", ""},
		{testkit.Here(), strings.Repeat("x", layers.MaxName), ""},
		{testkit.Here(), strings.Repeat("x", layers.MaxName+1), "1 to 99 bytes, not 100"},
		{testkit.Here(), strings.Repeat("ä", 50), "1 to 99 bytes, not 100"},
		{testkit.Here(), "", "1 to 99 bytes, not 0"},
		{testkit.Here(), "a\n", "byte 1"},
		{testkit.Here(), "\na", "byte 0"},
		{testkit.Here(), "a b", "byte 1"},
		{testkit.Here(), "specific.abc!def", "byte 12"},
		{testkit.Here(), "a!", "byte 1"},
		{testkit.Here(), "!a", "byte 0"},
		{testkit.Here(), "a?b", "byte 1"},
		{testkit.Here(), "a/b", "byte 1"},
		{testkit.Here(), "a*", "byte 1"},
		{testkit.Here(), "caf\u00e9", "byte 3"},
		{testkit.Here(), "\u0663", "byte 0"}, // a digit, though not of ASCII
		{testkit.Here(), "\u4f60", "byte 0"}, // Python's \w
		{testkit.Here(), "\uff21", "byte 0"}, // a wide A
		{testkit.Here(), "a\x00b", "byte 1"},
		{testkit.Here(), "a\xff", "byte 1"},
		{testkit.Here(), "@", "byte 0"}, // the neighbours of what is valid
		{testkit.Here(), "[", "byte 0"},
		{testkit.Here(), "`", "byte 0"},
		{testkit.Here(), "{", "byte 0"},
		{testkit.Here(), ":", "byte 0"},
		{testkit.Here(), ",", "byte 0"},
	}
	for _, row := range rows {
		err := layers.ValidName(row.name)
		switch {
		case row.err == "" && err != nil:
			t.Errorf("%s: %q: %v, want it valid", row.at, row.name, err)
		case row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)):
			t.Errorf("%s: %q: %v, want %q", row.at, row.name, err, row.err)
		}
	}
}

func FuzzValidName(f *testing.F) {
	for _, seed := range []string{"", "a", "a\n", "chat.123", "a!b", strings.Repeat("x", 99), strings.Repeat("x", 100), "\u0663", "\xff"} {
		f.Add(seed)
	}
	naive := regexp.MustCompile(`\A[A-Za-z0-9_.-]{1,99}\z`)
	f.Fuzz(func(t *testing.T, name string) {
		err := layers.ValidName(name)
		if valid := err == nil; valid != naive.MatchString(name) {
			t.Errorf("%q: %v, but the regular expression says %v", name, err, !valid)
		}
		if err != nil && (len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\r\x00")) {
			t.Errorf("the error is not fit for a log: %d bytes, %q", len(err.Error()), err)
		}
	})
}
