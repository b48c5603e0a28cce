package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at                string
		name, shown, same string // "" if it is refused
	}{
		{here(), "Ann", "Ann", "ann"},
		{here(), " Ann   Lee ", "Ann Lee", "ann lee"},
		{here(), "Ａｎｎ", "Ann", "ann"},
		{here(), "小明", "小明", "小明"},
		{here(), "Ann 小明", "Ann 小明", "ann 小明"},
		{here(), "スー・チー", "スー・チー", "スー・チー"},
		{here(), "김 ann", "김 ann", "김 ann"},
		{here(), "عائشة", "عائشة", "عائشة"},
		{here(), "नमस्ते", "नमस्ते", "नमस्ते"},
		{here(), "रामः", "रामः", "रामः"}, // a letter of the name that looks like a colon
		{here(), "ཧཱུྃ", "ཧཱུྃ", "ཧཱུྃ"}, // three marks
		{here(), "Ann 🙂", "Ann 🙂", "ann 🙂"},
		{here(), "Ann ❤️", "Ann ❤", "ann ❤"},
		{here(), "👩🏽‍🔧", "👩🏽🔧", "👩🏽🔧"},
		{here(), "Zoé 🇫🇷", "Zoé 🇫🇷", "zoé 🇫🇷"},
		{here(), "Σίσυφος", "Σίσυφος", "σίσυφος"},
		{here(), "Анна", "Анна", "анна"},
		{here(), "O'Neill-<b>", "O'Neill-<b>", "o'neill-<b>"},
		{here(), "O’Neill", "O'Neill", "o'neill"},
		{here(), "Ann (at work)", "Ann (at work)", "ann (at work)"},
		{here(), "R2-D2", "R2-D2", "r2-d2"},
		{here(), "Only Tom", "Only Tom", "only tom"},

		// Guests.
		{here(), "guest", "", ""},
		{here(), "GUEST-x", "", ""},
		{here(), "Guest x", "", ""},
		{here(), "ｇｕｅｓｔ-x", "", ""},
		{here(), "ɡuest-x", "", ""}, // U+0261

		// Invisible characters.
		{here(), "a\u202eb", "", ""}, // right-to-left override
		{here(), "a\u200bb", "", ""},
		{here(), "a\u200db", "", ""},
		{here(), "a\u00adb", "", ""},
		{here(), "\u3164", "", ""},
		{here(), "Ann\u2800", "", ""},
		{here(), "\U000e0041nn", "", ""},
		{here(), "\xff", "", ""},
		{here(), "\u0301", "", ""}, // a mark for the character before it
		{here(), "Ann \u0301", "", ""},
		{here(), "A\u0334\u0335\u0336\u0337nn", "", ""},

		// Names that read as a line of text.
		{here(), "Ann: I owe you 5", "", ""}, // reads as a message of Ann
		{here(), "Ann：", "", ""},
		{here(), "Ann꞉", "", ""},      // U+A789
		{here(), "Annː", "", ""},      // U+02D0, a letter
		{here(), "Ann\u02f8", "", ""}, // raised
		{here(), "Ann∶", "", ""},      // U+2236
		{here(), "Ann։", "", ""},      // Armenian
		{here(), "Ann׃", "", ""},      // Hebrew
		{here(), "Annः", "", ""},      // Devanagari
		{here(), "Annꓽ", "", ""},      // Lisu, a letter
		{here(), "ꓮꓠꓠꓽ", "", ""},
		{here(), "Ann (only to you)", "", ""},
		{here(), "Ann (0nly to you)", "", ""},
		{here(), "Ann (on1y to you)", "", ""},
		{here(), "* Ann has left", "", ""},
		{here(), "＊", "", ""},
		{here(), "∗ Ann", "", ""}, // U+2217
		{here(), "⁎ Ann", "", ""}, // U+204E
		{here(), "٭ Ann", "", ""}, // U+066D
		{here(), "✱ Ann", "", ""}, // U+2731
		{here(), "⚹ Ann", "", ""}, // U+26B9
		{here(), "✳ Ann", "", ""}, // an emoji
		{here(), "• Ann", "", ""},
		{here(), "-", "", ""},
		{here(), "...", "", ""},

		// Mixed scripts.
		{here(), "Аnn", "", ""}, // Cyrillic
		{here(), "Αnn", "", ""}, // Greek
		{here(), "小明 Анна", "", ""},
	} {
		n, err := fold(row.name)
		if n.shown != row.shown || n.same != row.same || (err != nil) != (row.shown == "") {
			t.Errorf("%s: %q is shown as %q and the same as %q (%v), want %q and %q", row.at, row.name, n.shown, n.same, err, row.shown, row.same)
		}
	}
}

// TestNamesThatLookAlike: of two names that look alike only the first is given.
func TestNamesThatLookAlike(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at        string
		one, two  string
		different bool
	}{
		{here(), "Ann", "ann", false},
		{here(), "Ann", "Ann.", false},
		{here(), "Ann", "'Ann'", false},
		{here(), "Ann", "ʻAnn", false},
		{here(), "Ann", "A n n", false},
		{here(), "Ann", "ANN!", false},
		{here(), "Ann", "ΑΝΝ", false}, // Greek
		{here(), "Ann", "ꓮꓠꓠ", false}, // Lisu
		{here(), "Ann", "🇦🇳🇳", false},
		{here(), "Ian", "lan", false},
		{here(), "Ian", "1an", false},
		{here(), "Ian", "ian", false},
		{here(), "ian", "IAN.", false},
		{here(), "Bob", "B0b", false},
		{here(), "Marn", "Mam", false},
		{here(), "соса", "coca", false}, // Cyrillic
		{here(), "小明", "小 明", false},
		{here(), "Ann", "Anne", true},
		{here(), "Ann", "Änn", true},
		{here(), "Ann", "Ann 🙂", true},
		{here(), "Ann 🙂", "Ann 🙃", true},
		{here(), "Ann", "Ann 2", true},
		{here(), "Ann", "Анна", true},
		{here(), "小明", "小名", true},
	} {
		c := start(t)
		for _, pair := range [][2]string{{row.one, row.two}, {row.two, row.one}} {
			if _, err := c.store.writes.ExecContext(t.Context(), `DELETE FROM people; DELETE FROM looks`); err != nil {
				t.Fatal(err)
			}
			one := askFrom(t, c, "192.0.2.1:1", pair[0])
			two := askFrom(t, c, "192.0.2.2:1", pair[1])
			want := map[bool]int{false: 409, true: 200}[row.different]
			if one.Status != 200 || two.Status != want {
				t.Errorf("%s: %q got %d, and then %q got %d, want %d", row.at, pair[0], one.Status, pair[1], two.Status, want)
			}
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, seed := range []string{"Ann", "Ann 🙂", "∗ Ann", "रामः", "\u2800", "a\u200db", "Ａｎｎ", "ΑΝΝ", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wanted string) {
		n, err := fold(wanted)
		if err != nil {
			if n.shown != "" || n.looks != nil {
				t.Errorf("%q is refused (%v), and is %+v", wanted, err, n)
			}
			return
		}
		if !utf8.ValidString(n.shown) || utf8.RuneCountInString(n.shown) > maxName || strings.ContainsAny(n.shown, ":*\n") || n.looks[0] == "" {
			t.Errorf("%q is %+v", wanted, n)
		}
		if again, err := fold(n.shown); err != nil || again.shown != n.shown || again.same != n.same {
			t.Errorf("%q is %+v, and then %+v (%v)", wanted, n, again, err)
		}
	})
}
