package load

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/frame"
)

func TestMold(t *testing.T) {
	for _, data := range []Data{ASCII, Chinese} {
		for _, size := range []int{8, 9, 15, 16, 17, 64, 125, 126, 70000} {
			t.Run(fmt.Sprint(size, " ", data), func(t *testing.T) {
				const id, first = 4711, 1<<24 - 2 // the number wraps
				m := newMold(size, 3, data, false)
				m.make(1, 1, 3)
				b := m.make(id, first, 3) // over the stamps of the others
				for i := range uint32(3) {
					b = checkFrame(t, m, b, id, first+i)
				}
				if len(b) != 0 {
					t.Errorf("%d bytes too many", len(b))
				}
			})
		}
	}
}

// TestMoldIsText has servers in mind that refuse anything else.
func TestMoldIsText(t *testing.T) {
	for _, size := range []int{8, 9, 15, 16, 17, 18, 19, 20, 1 << 14} {
		b := newMold(size, 1, Chinese, true).make(1, 2, 1)
		if !utf8.Valid(b) {
			t.Errorf("%d bytes: not UTF-8: %q", size, b)
		}
		stamps, letters := StampLen*min(size/StampLen, 2), 2
		if got, want := utf8.RuneCount(b), stamps+(size-stamps)/3+letters; got > want {
			t.Errorf("%d bytes: %d characters, want no more than %d", size, got, want)
		}
	}
}

// checkFrame checks the frame at the start of b, as a server reads it, and
// returns the rest.
func checkFrame(t *testing.T, m *mold, b []byte, id, seq uint32) []byte {
	t.Helper()
	h, ok, err := frame.Parse(b)
	if !ok || err != nil || !h.Masked || h.First != frame.Fin|frame.OpText || h.Payload != len(m.want) {
		t.Fatalf("header %+v %v %v", h, ok, err)
	}
	payload := bytes.Clone(b[h.Len:h.Size()])
	ws.Cipher(payload, h.Mask, 0)
	if err := m.check(payload, id, seq); err != nil {
		t.Fatal(err)
	}
	return b[h.Size():]
}

func TestMoldFindsEveryByte(t *testing.T) {
	for _, size := range []int{8, 9, 15, 16, 17, 40} {
		m := newMold(size, 1, ASCII, true)
		b := m.make(1, 2, 1)
		if err := m.check(b, 1, 2); err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] ^= 1
			if m.check(b, 1, 2) == nil {
				t.Errorf("size %d: byte %d changed and nobody noticed", size, i)
			}
			b[i] ^= 1
		}
		if m.check(b, 2, 2) == nil || m.check(b, 1, 3) == nil || m.check(b[:size-1], 1, 2) == nil {
			t.Errorf("size %d: taken for another message", size)
		}
	}
}
