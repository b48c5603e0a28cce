package frame

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/utf8scan"
)

// TestUnmask compares unmask with ws.Cipher, at each length and alignment, with one byte
// that is not ASCII at each place or nowhere.
func TestUnmask(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	memory := make([]byte, 400)
	for n := range 200 {
		for from := range 9 {
			b := memory[from : from+n]
			for high := -1; high < n; high++ {
				checkUnmask(t, b, high, random.Uint32())
			}
		}
	}
}

func checkUnmask(t *testing.T, b []byte, high int, mask uint32) {
	t.Helper()
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], mask)
	for i := range b {
		b[i] = byte(i*7+13) & 0x7f
	}
	if high >= 0 {
		b[high] |= 0x80
	}
	want := string(b)
	ws.Cipher(b, key, 0)
	if ascii := unmask(b, mask); string(b) != want || ascii != (high < 0) {
		t.Fatalf("%d bytes, %#x at %d: got %q, %v, want %q", len(b), mask, high, b, ascii, want)
	}
}

// FuzzUnmask compares unmask of a text in two pieces with ws.Cipher.
func FuzzUnmask(f *testing.F) {
	f.Add([]byte("some text, long enough for words"), uint32(0x12345678), 5)
	f.Add([]byte("天"), uint32(0xffffffff), 2)
	f.Fuzz(func(t *testing.T, b []byte, mask uint32, cut int) {
		var key [4]byte
		binary.LittleEndian.PutUint32(key[:], mask)
		want := append([]byte(nil), b...)
		ws.Cipher(want, key, 0)
		if cut < 0 || cut > len(b) {
			cut = len(b) / 2
		}
		first := unmask(b[:cut], mask)
		second := unmask(b[cut:], rotateMask(mask, cut))
		if !bytes.Equal(b, want) || first && !isASCII(want[:cut]) || second && !isASCII(want[cut:]) {
			t.Fatalf("got %q, %v and %v, want %q", b, first, second, want)
		}
	})
}

func isASCII(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf })
}

// BenchmarkUnmask compares unmask with ws.Cipher and a second pass that looks for what is
// not ASCII.
func BenchmarkUnmask(b *testing.B) {
	for _, n := range []int{5, 16, 64, 125, 256, 300, 413, 512, 700, 1 << 10, 16 << 10} {
		payload := make([]byte, n)
		b.Run(fmt.Sprint("onepass/", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				if len(payload) < 8 && !unmaskBytes(payload, 0x01020304) || len(payload) >= 8 && !unmaskWords(payload, 0x01020304) {
					b.Fatal("not ASCII")
				}
			}
		})
		b.Run(fmt.Sprint("twopass/", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				ws.Cipher(payload, [4]byte{4, 3, 2, 1}, 0)
				if !utf8scan.Valid(payload) {
					b.Fatal("not UTF-8")
				}
			}
		})
		b.Run(fmt.Sprint("cipher/", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				ws.Cipher(payload, [4]byte{4, 3, 2, 1}, 0)
			}
		})
	}
}
