package websocket

import "encoding/binary"

// utf8State is how far a text has been read: a state of the automaton that
// accepts UTF-8 (RFC 3629 section 4). It is kept between the pieces of a text,
// so that each byte is looked at once, and is utf8Bad as soon as nothing that
// may follow can make the text good.
//
// utf8.Valid needs whole runes and 12 us for 16 KiB of Chinese. Here runs of
// ASCII and of three-byte runes are checked by the word, and everything else by
// a table at one shift per byte, whatever the text (BenchmarkUTF8).
type utf8State uint64

// The states. They are shifts into the words of utf8Steps, six bits apart.
const (
	utf8Bad   utf8State = 6 * iota // no text; nothing leads out of it
	utf8Good                       // between two runes
	utf8Need1                      // so many more bytes of a rune, of any value
	utf8Need2
	utf8Need3
	utf8AfterE0 // next must not make an overlong form
	utf8AfterED // next must not make a surrogate
	utf8AfterF0 // next must not make an overlong form
	utf8AfterF4 // next must not lead beyond U+10FFFF
)

const utf8Mask = 63 // of a state in a word; to a shift by a variable it costs nothing

// utf8Steps has a word for each byte: shifted by a state, its low bits are the
// next state.
//
//nolint:gochecknoglobals // a table
var utf8Steps = makeUTF8Steps()

func makeUTF8Steps() (steps [256]uint64) {
	for _, s := range []struct {
		from   utf8State
		lo, hi int
		to     utf8State
	}{
		{utf8Good, 0x00, 0x7f, utf8Good},
		{utf8Good, 0xc2, 0xdf, utf8Need1},
		{utf8Good, 0xe0, 0xe0, utf8AfterE0},
		{utf8Good, 0xe1, 0xec, utf8Need2},
		{utf8Good, 0xed, 0xed, utf8AfterED},
		{utf8Good, 0xee, 0xef, utf8Need2},
		{utf8Good, 0xf0, 0xf0, utf8AfterF0},
		{utf8Good, 0xf1, 0xf3, utf8Need3},
		{utf8Good, 0xf4, 0xf4, utf8AfterF4},
		{utf8Need1, 0x80, 0xbf, utf8Good},
		{utf8Need2, 0x80, 0xbf, utf8Need1},
		{utf8Need3, 0x80, 0xbf, utf8Need2},
		{utf8AfterE0, 0xa0, 0xbf, utf8Need1},
		{utf8AfterED, 0x80, 0x9f, utf8Need1},
		{utf8AfterF0, 0x90, 0xbf, utf8Need2},
		{utf8AfterF4, 0x80, 0x8f, utf8Need2},
	} {
		for b := s.lo; b <= s.hi; b++ {
			steps[b] |= uint64(s.to) << s.from
		}
	}
	return steps
}

// stretch is how many bytes are read by the table until it is worth looking for
// a run again.
const stretch = 96

// read returns the state behind b.
func (s utf8State) read(b []byte) utf8State {
	for len(b) > 0 && s != utf8Bad {
		if s == utf8Good {
			b = skipRuns(b)
		}
		n := min(len(b), stretch)
		s = s.walk(b[:n])
		b = b[n:]
		for s > utf8Good && len(b) > 0 { // to the end of the rune
			s = s.walk(b[:1])
			b = b[1:]
		}
	}
	return s
}

// walk reads b by the table.
func (s utf8State) walk(b []byte) utf8State {
	w := uint64(s)
	for len(b) >= 8 {
		w = utf8Steps[b[0]] >> (w & utf8Mask)
		w = utf8Steps[b[1]] >> (w & utf8Mask)
		w = utf8Steps[b[2]] >> (w & utf8Mask)
		w = utf8Steps[b[3]] >> (w & utf8Mask)
		w = utf8Steps[b[4]] >> (w & utf8Mask)
		w = utf8Steps[b[5]] >> (w & utf8Mask)
		w = utf8Steps[b[6]] >> (w & utf8Mask)
		w = utf8Steps[b[7]] >> (w & utf8Mask)
		b = b[8:]
	}
	for _, c := range b {
		w = utf8Steps[c] >> (w & utf8Mask)
	}
	return utf8State(w & utf8Mask)
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

// skipRuns returns b without what it begins with: a run of ASCII, or of runes of
// three bytes whose second byte may be any.
func skipRuns(b []byte) []byte {
	b = skipASCII(b)
	for len(b) >= 24 && isThrees(b[:24]) {
		b = b[24:]
	}
	for len(b) >= 8 && word(b)&eachHigh == 0 {
		b = b[8:]
	}
	return b
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
