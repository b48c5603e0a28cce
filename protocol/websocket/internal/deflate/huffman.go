package deflate

import "sync"

const (
	maxLits   = 286 // symbols of literals and lengths
	maxDists  = 30  // of distances
	numWidths = 19  // of the lengths of codes
	maxLength = 15  // of a code in bits

	// Tables are looked up with so many bits; longer codes have a second table behind the
	// first.
	litRoot   = 9
	distRoot  = 6
	widthRoot = 7

	// The most entries that tables with these roots can have: computed by "enough" of zlib.
	enoughLits  = 852
	enoughDists = 592
)

// entry is one of a table: for a code, what it means. From the lowest bit: the bits of the
// code (4), the extra bits behind it, or those of the second table (4), the kind (8), and
// the value (16).
type entry uint32

const (
	extraShift = 4
	kindShift  = 8
	valueShift = 16
	nibble     = 15
)

const (
	kindInvalid = iota // there is no such code
	kindLiteral        // value is a byte, or the length of a code
	kindBase           // value and the extra bits are a length, or a distance
	kindEnd            // of the block
	kindLink           // value is the start of the second table
	kindRepeat         // the last length of a code, as often as value and the extra bits say
	kindZeros          // the length 0, as often
)

func newEntry(kind, extra, value int) entry {
	return entry(value<<valueShift | kind<<kindShift | extra<<extraShift) //nolint:gosec // value has 16 bits
}

func (e entry) bits() uint  { return uint(e & nibble) }
func (e entry) extra() uint { return uint(e >> extraShift & nibble) }
func (e entry) kind() uint  { return uint(e >> kindShift & 0xff) }
func (e entry) value() int  { return int(e >> valueShift) }

// lookup returns the entry for the code at the front of acc. If its bits are more than
// there are in acc, the code is incomplete.
func lookup(table []entry, root uint, acc uint64) entry {
	e := table[acc&(1<<root-1)]
	if e.kind() == kindLink {
		first := e.bits()
		e = table[e.value()+int(acc>>first&(1<<e.extra()-1))] //nolint:gosec // few bits
		return e + entry(first)                               //nolint:gosec // a code has at most 15 bits
	}
	return e
}

// widthOrder is the order in which the lengths of codes for lengths come.
//
//nolint:gochecknoglobals // a table
var widthOrder = [numWidths]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// meaning is what the symbols of an alphabet mean: entries without the bits of their codes.
type meaning func(symbol int) entry

// litCodes are the literals, the end and the lengths (RFC 1951 section 3.2.5).
func litCodes(symbol int) entry {
	switch {
	case symbol < 256:
		return newEntry(kindLiteral, 0, symbol)
	case symbol == 256:
		return newEntry(kindEnd, 0, 0)
	case symbol < 265:
		return newEntry(kindBase, 0, symbol-257+3)
	case symbol < 285:
		extra := (symbol - 261) / 4
		return newEntry(kindBase, extra, 3+(4+(symbol-261)%4)<<extra)
	case symbol == 285:
		return newEntry(kindBase, 0, 258)
	}
	return newEntry(kindInvalid, 0, 0)
}

// distCodes are the distances.
func distCodes(symbol int) entry {
	switch {
	case symbol < 4:
		return newEntry(kindBase, 0, symbol+1)
	case symbol < maxDists:
		extra := symbol/2 - 1
		return newEntry(kindBase, extra, 1+(2+symbol%2)<<extra)
	}
	return newEntry(kindInvalid, 0, 0)
}

// widthCodes are the lengths of codes (RFC 1951 section 3.2.7).
func widthCodes(symbol int) entry {
	switch symbol {
	case 16:
		return newEntry(kindRepeat, 2, 3)
	case 17:
		return newEntry(kindZeros, 3, 3)
	case 18:
		return newEntry(kindZeros, 7, 11)
	}
	return newEntry(kindLiteral, 0, symbol)
}

// makeTable fills table for the canonical codes with these lengths (RFC 1951 section
// 3.2.2), by the method of zlib's inflate_table. It is looked up with root bits at most;
// bits is with how many. It returns false if there can be no such codes, or if some
// sequences of bits have no meaning; as in package compress/flate, there may be no code at all,
// or a single one of one bit.
func makeTable(table []entry, lengths []uint8, root int, means meaning) (bits uint, ok bool) {
	var count [maxLength + 1]int
	for _, n := range lengths {
		count[n]++
	}
	shortest, longest := 1, maxLength
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	if longest == 0 { // an error only if one is used
		table[0], table[1] = 1, 1
		return 1, true
	}
	for count[shortest] == 0 {
		shortest++
	}
	root = max(min(root, longest), shortest)
	left := 1 // codes
	for n := 1; n <= maxLength; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return 0, false
		}
	}
	if left > 0 && longest != 1 {
		return 0, false
	}
	t := tableMaker{table: table, lengths: lengths, root: root, longest: longest, count: count, means: means}
	t.sort()
	t.fill(shortest)
	return uint(root), true
}

// tableMaker is one call of makeTable.
type tableMaker struct {
	table         []entry
	lengths       []uint8
	root, longest int
	count         [maxLength + 1]int
	means         meaning
	sorted        [maxLits + 2]uint16 // symbols that have a code, in the order of the codes

	start, width int // of the table that is filled: the first, or a second one
	drop         int // bits of a code that led to it
}

// sort sorts the symbols.
func (t *tableMaker) sort() {
	var at [maxLength + 2]int
	for n := 1; n <= maxLength; n++ {
		at[n+1] = at[n] + t.count[n]
	}
	for symbol, n := range t.lengths {
		if n != 0 {
			t.sorted[at[n]] = uint16(symbol)
			at[n]++
		}
	}
}

// fill makes the entries, code by code. code has the bits of the next one in the order in
// which they come, the first one lowest.
func (t *tableMaker) fill(n int) {
	code, prefix := 0, -1
	t.width = t.root
	for i := 0; ; i++ {
		e := t.means(int(t.sorted[i])) + entry(n-t.drop) //nolint:gosec // at most 15
		for at := code >> t.drop; at < 1<<t.width; at += 1 << (n - t.drop) {
			t.table[t.start+at] = e
		}
		code = nextCode(code, n)
		t.count[n]--
		if t.count[n] == 0 {
			if n == t.longest {
				break
			}
			n = int(t.lengths[t.sorted[i+1]])
		}
		if first := code & (1<<t.root - 1); n > t.root && first != prefix {
			prefix = first
			t.link(prefix, n)
		}
	}
	if code != 0 { // the only code has one bit, and the other bit has no meaning
		t.table[t.start+code>>t.drop] = entry(n - t.drop) //nolint:gosec // one
	}
}

// nextCode returns the code behind a code of n bits, with its bits in reverse.
func nextCode(code, n int) int {
	bit := 1 << (n - 1)
	for code&bit != 0 {
		bit >>= 1
	}
	if bit == 0 {
		return 0
	}
	return code&(bit-1) + bit
}

// link starts a second table for the codes that begin with prefix, the shortest of which
// has n bits.
func (t *tableMaker) link(prefix, n int) {
	t.start += 1 << t.width
	t.drop = t.root
	t.width = n - t.drop
	for left := 1 << t.width; t.width+t.drop < t.longest; left <<= 1 {
		if left -= t.count[t.width+t.drop]; left <= 0 {
			break
		}
		t.width++
	}
	t.table[prefix] = newEntry(kindLink, t.width, t.start) + entry(t.root) //nolint:gosec // at most 9
}

// The tables of fixed codes (RFC 1951 section 3.2.6).
const (
	fixedLitBits  = 9
	fixedDistBits = 5
)

type fixed struct {
	lit  [1 << fixedLitBits]entry
	dist [1 << fixedDistBits]entry
}

//nolint:gochecknoglobals // made once
var fixedTables = sync.OnceValue(func() *fixed {
	lengths := make([]uint8, maxLits+2)
	for symbol := range lengths {
		switch {
		case symbol < 144:
			lengths[symbol] = 8
		case symbol < 256:
			lengths[symbol] = 9
		case symbol < 280:
			lengths[symbol] = 7
		default:
			lengths[symbol] = 8
		}
	}
	f := new(fixed)
	makeTable(f.lit[:], lengths, fixedLitBits, litCodes)
	dists := make([]uint8, maxDists+2)
	for symbol := range dists {
		dists[symbol] = 5
	}
	makeTable(f.dist[:], dists, fixedDistBits, distCodes)
	return f
})
