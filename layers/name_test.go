package layers_test

import (
	"crypto/sha256"
	"fmt"
	"net/url"
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

// TestGroupNameVectors: a name never changes. Other versions of Wye, and programs in other
// languages, make the same. Do not change a row.
func TestGroupNameVectors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 94)
	rows := []struct {
		at         testkit.Line
		kind, text string
		want       string
	}{
		{testkit.Here(), "room", "lobby", "room.lobby"},
		{testkit.Here(), "room", "a.b-c_D9", "room.a.b-c_D9"},
		{testkit.Here(), "room", "_", "room._"},
		{testkit.Here(), "room", ".", "room..."},
		{testkit.Here(), "room", "..", "room...."},
		{testkit.Here(), "room", ".a", "room..a"},
		{testkit.Here(), "room", "a.", "room.a.."},
		{testkit.Here(), "room", "", "room.."},
		{testkit.Here(), "room", "a b", "room.a_20b."},
		{testkit.Here(), "room", "a_b c", "room.a_5fb_20c."},
		{testkit.Here(), "room", "a_20b.", "room.a_5f20b.."},
		{testkit.Here(), "room", "caf\u00e9", "room.caf_c3_a9."},
		{testkit.Here(), "room", "cafe\u0301", "room.cafe_cc_81."},
		{testkit.Here(), "room", "\u4f60\u597d", "room._e4_bd_a0_e5_a5_bd."},
		{testkit.Here(), "room", "a/b", "room.a_2fb."},
		{testkit.Here(), "room", "\x00\xff", "room._00_ff."},
		{testkit.Here(), "user", "ann@example.com", "user.ann_40example.com."},
		{testkit.Here(), "user", "Ann@example.com", "user.Ann_40example.com."},
		{testkit.Here(), "a_room-9", "x", "a_room-9.x"},
		{testkit.Here(), "room", long, "room." + long},
		{testkit.Here(), "room", long + "x", "room.69b938805e4b98342b6d0564764fb96c234cda7ca01c3364033ae59062707698_."},
		{testkit.Here(), "room", long[2:] + ".", "room." + long[2:] + ".."},
		{testkit.Here(), "room", long + ".", "room.41f60444216a08bb312663848908b00ddd50969176a6ab82967870374a355e58_."},
		{testkit.Here(), "room", strings.Repeat("\u00e9", 15), "room." + strings.Repeat("_c3_a9", 15) + "."},
		{testkit.Here(), "room", strings.Repeat("\u00e9", 16), "room.50bf38cd3a4cd50253ce1a111c563d20cba703333cf9fdc582ee0179b88da30b_."},
		{testkit.Here(), strings.Repeat("k", layers.MaxKind), "\u00e9" + long, strings.Repeat("k", 32) + ".9e9f3c9e0301e7aac6c44d16e0af9fa18db9d96d2a4cd1b03b505bab78598616_."},
	}
	for _, row := range rows {
		if got := layers.GroupName(row.kind, row.text); got != row.want {
			t.Errorf("%s: GroupName(%q, %q) = %q, want %q", row.at, row.kind, row.text, got, row.want)
		}
	}
}

func TestGroupNameKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "a.b", "caf\u00e9", "a b", "a!", strings.Repeat("k", layers.MaxKind+1)} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "wye: layers.GroupName: ") || len(text) > 200 {
					t.Errorf("the kind %q: the panic is %s", kind, text)
				}
			}()
			layers.GroupName(kind, "x")
		}()
	}
}

// textOf is what a name stands for: a text, or a text's hash.
func textOf(t *testing.T, name string) (kind, text, hash string) {
	t.Helper()
	kind, body, found := strings.Cut(name, ".")
	if !found {
		t.Fatalf("the name %q has no kind", name)
	}
	if hash, ok := strings.CutSuffix(body, "_."); ok {
		return kind, "", hash
	}
	body, isEscaped := strings.CutSuffix(body, ".")
	if !isEscaped {
		return kind, body, ""
	}
	text, err := url.PathUnescape(strings.ReplaceAll(body, "_", "%"))
	if err != nil {
		t.Fatalf("the name %q: %v", name, err)
	}
	return kind, text, ""
}

// FuzzGroupName goes back from names to texts: so no two texts have one name, unless
// they have one SHA-256.
func FuzzGroupName(f *testing.F) {
	for _, text := range []string{
		"", "lobby", ".", "a.", "_", "a_20b", "caf\u00e9", "ann@example.com", "\xff", strings.Repeat("x", 94), strings.Repeat("x", 95), strings.Repeat("\u00e9", 16),
		strings.Repeat("0", 64), strings.Repeat("0", 64) + "_.", strings.Repeat("0", 64) + "_", strings.Repeat("0", 64) + ".", "c3_a9.", strings.Repeat("x", 200_000),
	} {
		f.Add(text, "room")
		f.Add(text, strings.Repeat("k", layers.MaxKind))
	}
	f.Fuzz(func(t *testing.T, text, kind string) {
		if !regexp.MustCompile(`\A[A-Za-z0-9_-]{1,32}\z`).MatchString(kind) {
			kind = "room"
		}
		name := layers.GroupName(kind, text)
		if err := layers.ValidName(name); err != nil {
			t.Fatalf("%q, %q: %v", kind, text, err)
		}
		gotKind, gotText, hash := textOf(t, name)
		if want := fmt.Sprintf("%x", sha256.Sum256([]byte(text))); gotKind != kind || hash == "" && gotText != text || hash != "" && hash != want {
			t.Fatalf("%q, %q: the name %q stands for %q, %q, %q", kind, text, name, gotKind, gotText, hash)
		}
		if as := kind + "." + text; hash != "" && layers.ValidName(as) == nil && !strings.HasSuffix(as, ".") {
			t.Fatalf("%q, %q: the name %q could be read", kind, text, name)
		}
		_, body, _ := strings.Cut(name, ".")
		if body != text && layers.GroupName(kind, body) == name {
			t.Fatalf("%q and %q have the name %q", text, body, name)
		}
	})
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
