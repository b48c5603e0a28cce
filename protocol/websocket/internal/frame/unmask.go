package frame

import (
	"encoding/binary"
	"math/bits"

	"github.com/gobwas/ws"
)

const (
	// maxOnePass is the size up to which one pass that unmasks and looks for ASCII is
	// faster than ws.Cipher, which is in assembly, and utf8scan behind it:
	// BenchmarkUnmask.
	maxOnePass = 512

	// nonASCII has the bits of a word that are set in no ASCII byte.
	nonASCII = 0x8080808080808080
)

// unmask unmasks b in place. The lowest byte of mask belongs to the first byte of b. If
// unmask returns true, all of b is ASCII; otherwise b may be anything.
func unmask(b []byte, mask uint32) (ascii bool) {
	switch {
	case len(b) > maxOnePass:
		var key [4]byte
		binary.LittleEndian.PutUint32(key[:], mask)
		ws.Cipher(b, key, 0)
		return false
	case len(b) < 8:
		return unmaskBytes(b, mask)
	}
	return unmaskWords(b, mask)
}

// unmaskBytes is unmask byte by byte.
func unmaskBytes(b []byte, mask uint32) (ascii bool) {
	var seen byte
	for i := range b {
		b[i] ^= byte(mask & 0xff)
		seen |= b[i]
		mask = rotateMask(mask, 1)
	}
	return seen&(nonASCII&0xff) == 0
}

// unmaskWords is unmask for at least eight bytes.
func unmaskWords(b []byte, mask uint32) (ascii bool) {
	m := uint64(mask)<<32 | uint64(mask)
	// The last eight bytes are computed before the loop changes some of them, and stored
	// behind it.
	end := b[len(b)-8:]
	last := word(end) ^ bits.RotateLeft64(m, -8*(len(b)%4))
	seen := last
	for len(b) >= 64 {
		p := b[:64:64]
		w0, w1, w2, w3 := word(p)^m, word(p[8:])^m, word(p[16:])^m, word(p[24:])^m
		w4, w5, w6, w7 := word(p[32:])^m, word(p[40:])^m, word(p[48:])^m, word(p[56:])^m
		put(p, w0)
		put(p[8:], w1)
		put(p[16:], w2)
		put(p[24:], w3)
		put(p[32:], w4)
		put(p[40:], w5)
		put(p[48:], w6)
		put(p[56:], w7)
		seen |= w0 | w1 | w2 | w3 | w4 | w5 | w6 | w7
		b = b[64:]
	}
	for len(b) >= 8 {
		w := word(b) ^ m
		put(b, w)
		seen |= w
		b = b[8:]
	}
	put(end, last)
	return seen&nonASCII == 0
}

// rotateMask returns the mask of what is behind the first n bytes.
func rotateMask(mask uint32, n int) uint32 { return bits.RotateLeft32(mask, -8*(n%4)) }

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func put(b []byte, w uint64) { binary.LittleEndian.PutUint64(b, w) }
