package frame

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// wantNoAllocs fails if f allocates.
func wantNoAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	if got := testing.AllocsPerRun(200, f); got > 0 {
		t.Errorf("%s: %v allocations, want none", what, got)
	}
}

// TestAllocParse is about messages that lie in what was read, and about
// fragmented ones.
func TestAllocParse(t *testing.T) {
	rows := map[string][]byte{
		"whole messages":  slices.Concat(frametest.Frame(frametest.Fin|1, "hello"), frametest.Frame(frametest.Fin|2, strings.Repeat("x", 3000)), frametest.Frame(frametest.Fin|9, "ping")),
		"fragments":       slices.Concat(frametest.Frame(1, "hel"), frametest.Frame(frametest.Fin|9, "ping"), frametest.Frame(frametest.Fin, "lo")),
		"a large message": frametest.Frame(frametest.Fin|1, strings.Repeat("x", 60000)),
	}
	for name, in := range rows {
		p := NewParser(newRules(bounds{maxMessage: 1 << 20}))
		b := make([]byte, len(in))
		wantNoAllocs(t, name, func() {
			copy(b, in)
			for rest := b; len(rest) > 0; {
				it, r, ok, err := p.Next(rest)
				if !ok || err != nil || it.OpCode == ws.OpContinuation {
					t.Fatal("not parsed")
				}
				rest = r
			}
			p.ReleaseBuffer()
		})
	}
}

// TestAllocParseSplit is about a message that comes in two reads.
func TestAllocParseSplit(t *testing.T) {
	in := frametest.Frame(frametest.Fin|1, strings.Repeat("x", 1000))
	p := NewParser(newRules(bounds{maxMessage: 1 << 20}))
	b := make([]byte, len(in))
	wantNoAllocs(t, "two reads", func() {
		copy(b, in)
		p.Next(b[:500]) //nolint:errcheck // it is not complete
		if _, _, ok, err := p.Next(b[500:]); !ok || err != nil {
			t.Fatal("not parsed")
		}
		p.ReleaseBuffer()
	})
}

// BenchmarkParse is unmasking and checking of text messages that lie in what was read: one
// at a time, and sixteen of 64 bytes. The mask is zero, so that they can be parsed again.
func BenchmarkParse(b *testing.B) {
	texts := map[string]string{"ASCII": "the quick brown fox ", "Chinese": "敏捷的棕色狐狸跳过了 "}
	for name, words := range texts {
		for _, row := range []struct{ size, messages int }{{64, 1}, {64, 16}, {16 << 10, 1}} {
			body := strings.ToValidUTF8(strings.Repeat(words, row.size)[:row.size], "")
			in := frametest.Frame(frametest.Fin|1, body)
			head := len(in) - len(body)
			clear(in[head-4 : head])
			copy(in[head:], body)
			in = bytes.Repeat(in, row.messages)
			p := NewParser(newRules(bounds{maxMessage: 1 << 20}))
			b.Run(fmt.Sprintf("%s/%dx%d", name, row.size, row.messages), func(b *testing.B) {
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				for b.Loop() {
					for rest := in; len(rest) > 0; {
						_, r, ok, err := p.Next(rest)
						if !ok || err != nil {
							b.Fatal(err)
						}
						rest = r
					}
				}
			})
		}
	}
}
