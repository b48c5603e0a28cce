// Package utf8scan checks text that is UTF-8, in pieces or whole.
package utf8scan

import (
	"encoding/binary"
	"math/bits"
)

// State is how far a text has been read: a state of the automaton that
// accepts UTF-8 (RFC 3629 section 4). It is kept between the pieces of a text,
// so that each byte is looked at once, and is Bad as soon as nothing that
// may follow can make the text good.
//
// utf8.Valid needs whole runes and 12 us for 16 KiB of Chinese. Here runs of
// ASCII, of three-byte runes, and of ASCII with two-byte runes are checked by the
// word, and everything else by a table at one shift per byte, whatever the text
// (BenchmarkUTF8).
type State uint64

// The states. They are shifts into the words of steps, six bits apart.
const (
	Bad   State = 6 * iota // no text; nothing leads out of it
	Good                   // between two runes
	need1                  // so many more bytes of a rune, of any value
	need2
	need3
	afterE0 // next must not make an overlong form
	afterED // next must not make a surrogate
	afterF0 // next must not make an overlong form
	afterF4 // next must not lead beyond U+10FFFF
)

const mask = 63 // of a state in a word; to a shift by a variable it costs nothing

// steps has a word for each byte: shifted by a state, its low bits are the
// next state.
//
//nolint:gochecknoglobals // a table
var steps = makeSteps()

func makeSteps() (steps [256]uint64) {
	for _, s := range []struct {
		from   State
		lo, hi int
		to     State
	}{
		{Good, 0x00, 0x7f, Good},
		{Good, 0xc2, 0xdf, need1},
		{Good, 0xe0, 0xe0, afterE0},
		{Good, 0xe1, 0xec, need2},
		{Good, 0xed, 0xed, afterED},
		{Good, 0xee, 0xef, need2},
		{Good, 0xf0, 0xf0, afterF0},
		{Good, 0xf1, 0xf3, need3},
		{Good, 0xf4, 0xf4, afterF4},
		{need1, 0x80, 0xbf, Good},
		{need2, 0x80, 0xbf, need1},
		{need3, 0x80, 0xbf, need2},
		{afterE0, 0xa0, 0xbf, need1},
		{afterED, 0x80, 0x9f, need1},
		{afterF0, 0x90, 0xbf, need2},
		{afterF4, 0x80, 0x8f, need2},
	} {
		for b := s.lo; b <= s.hi; b++ {
			steps[b] |= uint64(s.to) << s.from
		}
	}
	return steps
}

// Valid reports whether b is UTF-8, as utf8.Valid does.
func Valid(b []byte) bool { return Good.Read(b) == Good }

// stretch is how many bytes are read by the table until it is worth looking for
// a run again.
const stretch = 96

// Read returns the state behind b.
func (s State) Read(b []byte) State {
	for len(b) > 0 && s != Bad {
		if s == Good {
			b = skipRuns(b)
		}
		n := min(len(b), stretch)
		s = s.walk(b[:n])
		b = b[n:]
		for s > Good && len(b) > 0 { // to the end of the rune
			s = s.walk(b[:1])
			b = b[1:]
		}
	}
	return s
}

// walk reads b by the table.
func (s State) walk(b []byte) State {
	w := uint64(s)
	for len(b) >= 8 {
		w = steps[b[0]] >> (w & mask)
		w = steps[b[1]] >> (w & mask)
		w = steps[b[2]] >> (w & mask)
		w = steps[b[3]] >> (w & mask)
		w = steps[b[4]] >> (w & mask)
		w = steps[b[5]] >> (w & mask)
		w = steps[b[6]] >> (w & mask)
		w = steps[b[7]] >> (w & mask)
		b = b[8:]
	}
	for _, c := range b {
		w = steps[c] >> (w & mask)
	}
	return State(w & mask)
}

// Masks over words of eight bytes, the first byte lowest.
const (
	eachOne  = 0x0101010101010101
	eachHigh = 0x80 * eachOne
	eachE0   = 0xe0 * eachOne
	eachED   = 0xed * eachOne
)

// Eight runes of three bytes are three words. In each of them other bytes are
// leads: leads has those, fixed the bits that UTF-8 prescribes, and threes what
// they must be.
const (
	leads0, fixed0, threes0 = 0x00ff0000ff0000ff, 0xc0f0c0c0f0c0c0f0, 0x80e08080e08080e0
	leads1, fixed1, threes1 = 0xff0000ff0000ff00, 0xf0c0c0f0c0c0f0c0, 0xe08080e08080e080
	leads2, fixed2, threes2 = 0x0000ff0000ff0000, 0xc0c0f0c0c0f0c0c0, 0x8080e08080e08080
)

// skipRuns returns b without what it begins with: a run of ASCII, of runes of
// three bytes whose second byte may be any, or of ASCII and runes of two bytes.
func skipRuns(b []byte) []byte {
	b = skipASCII(b)
	if len(b) >= 32 {
		if high := word(b) & eachHigh; high != 0 && b[bits.TrailingZeros64(high)/8] < 0xe0 {
			b = skipTwos(b)
		}
	}
	for len(b) >= 24 && isThrees(b[:24]) {
		b = b[24:]
	}
	for len(b) >= 8 && word(b)&eachHigh == 0 {
		b = b[8:]
	}
	return b
}

// skipTwos returns b without a run of ASCII and runes of two bytes, in steps of 32 bytes.
func skipTwos(b []byte) []byte {
	for len(b) >= 32 {
		w0, w1, w2, w3 := word(b), word(b[8:]), word(b[16:]), word(b[24:])
		bad0, open0 := twos(w0, 0)
		bad1, open1 := twos(w1, open0)
		bad2, open2 := twos(w2, open1)
		bad3, open3 := twos(w3, open2)
		if bad0|bad1|bad2|bad3 != 0 {
			break
		}
		b = b[32-open3>>7:] // up to the rune that is cut
	}
	return b
}

// twos checks eight bytes that are to be ASCII and runes of two bytes. open is 0x80 if the
// first byte is to be the second one of a rune; stays says so of what follows. bad is not 0
// if there is anything else.
func twos(w, open uint64) (bad, stays uint64) {
	high := w & eachHigh
	leads := high & (w << 1)
	bad = (leads<<8 | open) ^ high ^ leads            // others behind leads, and nowhere else
	bad |= leads & (w << 2)                           // three bytes or more
	bad |= leads &^ (w&(0x1e*eachOne) + 0x7e*eachOne) // C0 and C1
	return bad, leads >> 56
}

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// skipASCII returns b without what it begins with of ASCII, in steps of 64 bytes.
func skipASCII(b []byte) []byte {
	for len(b) >= 64 {
		c := b[:64:64]
		if (word(c)|word(c[8:])|word(c[16:])|word(c[24:])|word(c[32:])|word(c[40:])|word(c[48:])|word(c[56:]))&eachHigh != 0 {
			break
		}
		b = b[64:]
	}
	return b
}

// isThrees reports whether 24 bytes are eight runes of three bytes, of which
// none begins with E0 or ED. Their leads lie in other places of each word, and
// fit into one.
func isThrees(b []byte) bool {
	_ = b[23]
	w0, w1, w2 := word(b), word(b[8:]), word(b[16:])
	if (w0&fixed0^threes0)|(w1&fixed1^threes1)|(w2&fixed2^threes2) != 0 {
		return false
	}
	leads := w0&leads0 | w1&leads1 | w2&leads2
	return !hasZero(leads^eachE0) && !hasZero(leads^eachED)
}

// hasZero reports whether a byte of w is zero.
func hasZero(w uint64) bool { return (w-eachOne)&^w&eachHigh != 0 }
