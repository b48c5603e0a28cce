package utf8scan

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/testkit"
)

// TestUTF8Runes reads every rune there is, and everything that looks like one.
func TestUTF8Runes(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= utf8.MaxRune; r++ {
		b := []byte(string(r)) // U+FFFD for a surrogate
		if Good.Read(b) != Good {
			t.Fatalf("%U is refused", r)
		}
	}
	for n := 0xc0 << 16; n < 1<<24; n++ {
		b := []byte{byte(n >> 16), byte(n >> 8), byte(n)}
		if got := Good.Read(b) == Good; got != utf8.Valid(b) {
			t.Fatalf("% x: got %v", b, got)
		}
	}
}

// TestUTF8FailsFast makes sure that text is refused at the first byte behind
// which nothing can make it good, and not before.
func TestUTF8FailsFast(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		text string
		bad  int // how many bytes are enough to see it
	}{
		{testkit.Here(), "\x80", 1},
		{testkit.Here(), "\xc0", 1},
		{testkit.Here(), "\xc1", 1},
		{testkit.Here(), "\xc2\x7f", 2},
		{testkit.Here(), "\xe0\x9f", 2},
		{testkit.Here(), "\xe4\xb8\x7f", 3},
		{testkit.Here(), "\xed\xa0", 2},
		{testkit.Here(), "\xf0\x8f", 2},
		{testkit.Here(), "\xf0\x90\x80\xc0", 4},
		{testkit.Here(), "\xf4\x90", 2},
		{testkit.Here(), "\xf5", 1},
		{testkit.Here(), "\xff", 1},
	}
	for _, row := range rows {
		for _, before := range []string{"", "a", "天地玄黄", strings.Repeat("a", 64), strings.Repeat("天", 32), strings.Repeat("é", 50)} {
			s := Good.Read([]byte(before))
			if s = s.Read([]byte(row.text[:row.bad-1])); s == Bad {
				t.Errorf("%s: refused too early behind %q", row.at, before)
			}
			if s = s.Read([]byte(row.text[row.bad-1 : row.bad])); s != Bad {
				t.Errorf("%s: not refused behind %q", row.at, before)
			}
			if s = s.Read([]byte("abc天地")); s != Bad {
				t.Errorf("%s: good again", row.at)
			}
		}
	}
}

// TestUTF8Places puts one byte that is wrong, and special runes, into every
// place of texts that are read by the word.
func TestUTF8Places(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"a", "é", "天", "\ufeff", "한", "ࠀ", "퟿", "😀", "a天", "aé天😀"} {
		whole := []byte(strings.Repeat(unit, 400/len(unit)))
		for i := range whole {
			for _, c := range []byte{0x00, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf4, 0xf5} {
				was := whole[i]
				whole[i] = c
				if got := Good.Read(whole) == Good; got != utf8.Valid(whole) {
					t.Fatalf("%q with %#x at %d: got %v", unit, c, i, got)
				}
				whole[i] = was
			}
		}
	}
}

// TestUTF8Edges puts all sequences of four bytes at the edges of what UTF-8 allows into
// texts that are read by the word, at different places of the words.
func TestUTF8Edges(t *testing.T) {
	t.Parallel()
	edges := []byte{
		0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
		0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
	}
	for i, unit := range []string{"a", "é", "天"} {
		whole := []byte(strings.Repeat(unit, 66/len(unit)))
		for n := range len(edges) * len(edges) * len(edges) * len(edges) {
			at := (n + i) % 31
			at -= at % len(unit)
			k, was := n, [4]byte(whole[at:])
			for j := range was {
				whole[at+j] = edges[k%len(edges)]
				k /= len(edges)
			}
			if got := Valid(whole); got != utf8.Valid(whole) {
				t.Fatalf("% x: got %v", whole, got)
			}
			copy(whole[at:], was[:])
		}
	}
}

// TestUTF8Pieces reads texts in pieces of random sizes.
func TestUTF8Pieces(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5000) {
		random := rand.New(rand.NewPCG(seed, 0))
		b := randomText(random)
		s, rest := Good, b
		for len(rest) > 0 {
			n := 1 + random.IntN(len(rest))
			s, rest = s.Read(rest[:n]), rest[n:]
		}
		if got := s == Good; got != utf8.Valid(b) {
			t.Fatalf("seed %d: %q: got %v", seed, b, got)
		}
	}
}

// randomText is some text, sometimes with a byte changed.
func randomText(random *rand.Rand) []byte {
	units := []string{"a", "é", "天", "😀", strings.Repeat("b", 70), strings.Repeat("地", 30)}
	var b []byte
	for range random.IntN(60) {
		b = append(b, units[random.IntN(len(units))]...)
	}
	if len(b) > 0 && random.IntN(2) == 0 {
		b[random.IntN(len(b))] = byte(random.IntN(256))
	}
	return b
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("天地玄黄宇宙洪荒 abc é 😀"), uint8(3))
	f.Add([]byte("\xf4\x90\x80\x80"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		n := min(int(cut), len(b))
		for _, text := range [][]byte{b, []byte(strings.Repeat(string(b), 40))} {
			if got := Good.Read(text[:n]).Read(text[n:]) == Good; got != utf8.Valid(text) {
				t.Fatalf("%q: got %v", text, got)
			}
		}
	})
}

// BenchmarkUTF8 is beside unicode/utf8.
func BenchmarkUTF8(b *testing.B) {
	texts := map[string]string{
		"ASCII":   "The quick brown fox jumps over the lazy dog. ",
		"Chinese": "天地玄黄宇宙洪荒日月盈昃辰宿列张",
		"mixed":   `{"who":"王小明","text":"你好,今天天气不错,我们去公园吧! 2026"}`,
		"Russian": "Съешь же ещё этих мягких французских булок, да выпей чаю. ",
		"Korean":  "동해물과 백두산이 마르고 닳도록 ",
		"emoji":   "😀😃😄😁 ",
		"spaced":  "敏捷的棕色狐狸跳过了 ",

		"words Chinese": "敏捷的棕色狐狸跳过了那只懒惰的狗。 天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。 你好！ 我们去公园吧，好不好？ 2026年 Go语言",
		"words Russian": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
		"words Korean":  "동해물과 백두산이 마르고 닳도록 하느님이 보우하사 우리나라 만세",
		"words French":  "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë au delà des îles",
		"words JSON":    `{"who":"王小明", "text":"你好,今天天气不错", {"id":123456,"name":"Анна"} [1,2,3] "на здоровье" 😀`,
	}
	random := rand.New(rand.NewPCG(1, 2))
	for name, unit := range texts {
		text := []byte(strings.Repeat(unit, 16<<10/len(unit)))
		if words := strings.Fields(unit); strings.HasPrefix(name, "words") {
			text = text[:0]
			for len(text) < 16<<10-50 {
				text = append(append(text, words[random.IntN(len(words))]...), ' ')
			}
		}
		b.Run(name+"/wye", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if Good.Read(text) != Good {
					b.Fatal("refused")
				}
			}
		})
		b.Run(name+"/utf8.Valid", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !utf8.Valid(text) {
					b.Fatal("refused")
				}
			}
		})
	}
}
