// Package deflate has the rules of permessage-deflate (RFC 7692) for a server: it
// negotiates, inflates the messages of clients piece by piece within bounds, and deflates
// those of the server. It has no I/O, goroutine or clock.
package deflate

import (
	"encoding/binary"
	"errors"
	"sync"
)

// Errors of [Inflater.Inflate] and [Inflater.Finish].
var (
	ErrCorrupt = errors.New("wye: deflate: the peer's compressed data is invalid")
	ErrTooBig  = errors.New("wye: deflate: the peer's message is too big when it is inflated")
)

// Inflater inflates one message at a time (RFC 1951, RFC 7692 section 7.2.2). The
// compressed bytes may come in pieces of any size: all that is inflated is returned at
// once, and only bits of an incomplete symbol are kept. It needs no memory of its own for
// what it has inflated, because that lies in the message. [NewInflater] returns one.
type Inflater struct {
	acc uint64 // bits that were read and not used, the lowest first
	n   uint   // how many

	step    inflateStep
	final   bool // the block is the last one of its stream; more streams may follow
	between bool // a stream may end here: nothing has come, or a stream has ended
	tables  int  // of dynamic blocks, that were made for the message

	stored              int // bytes left of a stored block
	lits, dists, widths int // of the header of a dynamic block
	have                int // of lengths
	lengths             [maxLits + maxDists]uint8

	lit, dist         []entry
	litBits, distBits uint

	memory struct {
		lit  [enoughLits]entry
		dist [enoughDists]entry
	}
}

type inflateStep uint8

const (
	stepHeader  inflateStep = iota // of a block
	stepStored                     // the length of a stored block
	stepCopy                       // the bytes of a stored block
	stepCounts                     // of a dynamic block
	stepWidths                     // the lengths of the codes for lengths
	stepLengths                    // the lengths of the codes
	stepSymbols
)

var inflaters = sync.Pool{New: func() any { return new(Inflater) }}

// InflaterSize is about how many bytes an Inflater takes.
const InflaterSize = 4*(enoughLits+enoughDists) + 512

// NewInflater returns an Inflater for a message. The caller calls Release when it is no
// longer needed.
func NewInflater() *Inflater {
	z := inflaters.Get().(*Inflater) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	z.acc, z.n, z.step, z.final, z.between, z.tables = 0, 0, stepHeader, false, true, 0
	return z
}

// Release recycles z.
func (z *Inflater) Release() { inflaters.Put(z) }

// Tables returns how many tables the message has had made so far. Each takes about as
// long as a thousand bytes do, and need not produce any.
func (z *Inflater) Tables() int { return z.tables }

// Inflate inflates the next piece of a message, and appends the result to out, which is
// what was inflated of it so far. It never makes out longer than most: if the message
// is, it returns ErrTooBig, and has not got memory for more. window is what came before the
// message, if it may refer to that.
//
// After an error, z may only be released.
func (z *Inflater) Inflate(out, piece, window []byte, most int) ([]byte, error) {
	d := inflating{Inflater: z, in: piece, out: out, window: window, most: most}
	for {
		if ok, err := d.advance(); !ok || err != nil {
			return d.out, err
		}
	}
}

// tail is what the sender has removed from the end of a message (RFC 7692 section 7.2.1).
//
//nolint:gochecknoglobals // a constant
var tail = []byte{0x00, 0x00, 0xff, 0xff}

// Finish is Inflate for the end of the message. A message may end with an empty block
// without compression of which four bytes are left out, or, with some senders, behind a final
// block; nothing at all is an empty message.
func (z *Inflater) Finish(out, window []byte, most int) ([]byte, error) {
	if z.between && z.n == 0 {
		return out, nil
	}
	out, err := z.Inflate(out, tail, window, most)
	if err == nil && (z.step != stepHeader || z.n != 0) {
		err = ErrCorrupt
	}
	return out, err
}

// inflating is one call of Inflate.
type inflating struct {
	*Inflater

	in, out, window []byte
	most            int
}

// advance takes the next step. It returns false if that needs more input.
func (d *inflating) advance() (bool, error) {
	switch d.step {
	case stepHeader:
		return d.readHeader()
	case stepStored:
		return d.readStored()
	case stepCopy:
		return d.copyStored()
	case stepCounts:
		return d.readCounts()
	case stepWidths:
		return d.readWidths()
	case stepLengths:
		return d.readLengths()
	case stepSymbols:
	}
	return d.readSymbols()
}

// refill makes as many bits available as there is room for.
func (d *inflating) refill() {
	if len(d.in) >= 8 {
		d.acc |= binary.LittleEndian.Uint64(d.in) << d.n
		whole := (63 - d.n) / 8
		d.in = d.in[whole:]
		d.n += whole * 8
		d.acc &= 1<<d.n - 1
		return
	}
	for d.n <= 56 && len(d.in) > 0 {
		d.acc |= uint64(d.in[0]) << d.n
		d.n += 8
		d.in = d.in[1:]
	}
}

// need reports whether n bits are available, 32 at the most.
func (d *inflating) need(n uint) bool {
	if d.n < n {
		d.refill()
	}
	return d.n >= n
}

// take removes the next n bits, which are available.
func (z *Inflater) take(n uint) int {
	v := int(z.acc & (1<<n - 1)) //nolint:gosec // at most 32 bits
	z.acc >>= n
	z.n -= n
	return v
}

// readHeader reads the header of a block (RFC 1951 section 3.2.3).
func (d *inflating) readHeader() (bool, error) {
	if !d.need(3) {
		return false, nil
	}
	d.between = false
	d.final = d.take(1) == 1
	switch d.take(2) {
	case 0:
		d.take(d.n % 8)
		d.step = stepStored
	case 1:
		f := fixedTables()
		d.lit, d.litBits, d.dist, d.distBits = f.lit[:], fixedLitBits, f.dist[:], fixedDistBits
		d.step = stepSymbols
	case 2:
		d.step = stepCounts
	default:
		return false, ErrCorrupt
	}
	return true, nil
}

// endBlock goes on to what follows a block. Behind the last block of a stream, another
// stream begins with the next byte.
func (d *inflating) endBlock() {
	d.step = stepHeader
	if d.final {
		d.take(d.n % 8)
		d.between = true
	}
}

// readStored reads the length of a block without compression.
func (d *inflating) readStored() (bool, error) {
	if !d.need(32) {
		return false, nil
	}
	d.stored = d.take(16)
	if d.take(16) != d.stored^0xffff {
		return false, ErrCorrupt
	}
	d.step = stepCopy
	return true, nil
}

// copyStored copies what there is of a block without compression.
func (d *inflating) copyStored() (bool, error) {
	if d.stored > d.most-len(d.out) {
		return false, ErrTooBig
	}
	d.grow(min(d.stored, int(d.n/8)+len(d.in)))
	for d.stored > 0 && d.n >= 8 {
		d.out = append(d.out, byte(d.take(8))) //nolint:gosec // 8 bits
		d.stored--
	}
	n := min(d.stored, len(d.in))
	d.out = append(d.out, d.in[:n]...)
	d.in = d.in[n:]
	d.stored -= n
	if d.stored > 0 {
		return false, nil
	}
	d.endBlock()
	return true, nil
}

// readCounts reads the numbers of codes of a dynamic block (RFC 1951 section 3.2.7).
func (d *inflating) readCounts() (bool, error) {
	if !d.need(14) {
		return false, nil
	}
	d.lits, d.dists, d.widths = d.take(5)+257, d.take(5)+1, d.take(4)+4
	if d.lits > maxLits || d.dists > maxDists {
		return false, ErrCorrupt
	}
	clear(d.lengths[:numWidths])
	d.have = 0
	d.step = stepWidths
	return true, nil
}

// readWidths reads the lengths of the codes that the lengths of the other codes have.
func (d *inflating) readWidths() (bool, error) {
	for d.have < d.widths {
		if !d.need(3) {
			return false, nil
		}
		d.lengths[widthOrder[d.have]] = uint8(d.take(3)) //nolint:gosec // 3 bits
		d.have++
	}
	bits, ok := makeTable(d.memory.lit[:], d.lengths[:numWidths], widthRoot, widthCodes)
	if !ok {
		return false, ErrCorrupt
	}
	d.litBits = bits
	d.have = 0
	d.step = stepLengths
	return true, nil
}

// readLengths reads the lengths of the codes of a dynamic block, and makes its tables.
func (d *inflating) readLengths() (bool, error) {
	for all := d.lits + d.dists; d.have < all; {
		d.refill()
		e := d.memory.lit[d.acc&(1<<d.litBits-1)]
		n := e.bits() + e.extra()
		if n > d.n {
			return false, nil
		}
		if e.kind() == kindInvalid {
			return false, ErrCorrupt
		}
		d.take(e.bits())
		if e.kind() == kindLiteral {
			d.lengths[d.have] = uint8(e.value()) //nolint:gosec // at most 15
			d.have++
			continue
		}
		var length uint8
		if e.kind() == kindRepeat {
			if d.have == 0 {
				return false, ErrCorrupt
			}
			length = d.lengths[d.have-1]
		}
		times := e.value() + d.take(e.extra())
		if times > all-d.have {
			return false, ErrCorrupt
		}
		for range times {
			d.lengths[d.have] = length
			d.have++
		}
	}
	return d.makeTables()
}

func (d *inflating) makeTables() (ok bool, err error) {
	d.tables++
	m := &d.memory
	if d.litBits, ok = makeTable(m.lit[:], d.lengths[:d.lits], litRoot, litCodes); !ok {
		return false, ErrCorrupt
	}
	if d.distBits, ok = makeTable(m.dist[:], d.lengths[d.lits:d.lits+d.dists], distRoot, distCodes); !ok {
		return false, ErrCorrupt
	}
	d.lit, d.dist = m.lit[:], m.dist[:]
	d.step = stepSymbols
	return true, nil
}

// readSymbols reads the symbols of a block. A symbol, with its distance, is read as a whole
// or not at all: it has 48 bits at most.
func (d *inflating) readSymbols() (bool, error) {
	for {
		if d.n < 48 {
			d.refill()
		}
		e := lookup(d.lit, d.litBits, d.acc)
		bits := e.bits()
		if bits > d.n {
			return false, nil
		}
		switch e.kind() {
		case kindLiteral:
			if len(d.out) >= d.most {
				return false, ErrTooBig
			}
			d.grow(1)
			d.out = append(d.out, byte(e>>valueShift)) //nolint:gosec // a byte
			d.acc >>= bits
			d.n -= bits
		case kindBase:
			if ok, err := d.readMatch(e); !ok || err != nil {
				return false, err
			}
		case kindEnd:
			d.take(bits)
			d.endBlock()
			return true, nil
		default:
			return false, ErrCorrupt
		}
	}
}

// readMatch reads the rest of a length whose code has the entry e, and its distance, and
// copies what it refers to. It returns false if there is not enough input.
func (d *inflating) readMatch(e entry) (bool, error) {
	acc, n := d.acc>>e.bits(), e.bits()
	length := e.value() + int(acc&(1<<e.extra()-1)) //nolint:gosec // at most 5 bits
	acc >>= e.extra()
	n += e.extra()
	if n > d.n {
		return false, nil
	}
	e = lookup(d.dist, d.distBits, acc)
	if n += e.bits(); n > d.n {
		return false, nil
	}
	if e.kind() != kindBase {
		return false, ErrCorrupt
	}
	acc >>= e.bits()
	distance := e.value() + int(acc&(1<<e.extra()-1)) //nolint:gosec // at most 13 bits
	acc >>= e.extra()
	if n += e.extra(); n > d.n {
		return false, nil
	}
	d.acc, d.n = acc, d.n-n
	switch {
	case distance > len(d.out)+len(d.window):
		return false, ErrCorrupt
	case length > d.most-len(d.out):
		return false, ErrTooBig
	}
	if length > cap(d.out)-len(d.out) {
		d.grow(length)
	}
	if back := distance - len(d.out); back > 0 {
		m := min(back, length)
		from := len(d.window) - back
		d.out = append(d.out, d.window[from:from+m]...)
		length -= m
	}
	d.copyMatch(distance, length)
	return true, nil
}

// copyMatch appends length bytes of what lies distance bytes back. There is room for them.
func (d *inflating) copyMatch(distance, length int) {
	at := len(d.out)
	d.out = d.out[:at+length]
	from := at - distance
	for at < len(d.out) { // what is copied may be a part of what was copied
		at += copy(d.out[at:], d.out[from:at])
	}
}

// minMessage is the smallest memory for a message.
const minMessage = 512

// grow makes room for n bytes more, and for as many as there are if most allows it.
func (d *inflating) grow(n int) {
	if cap(d.out)-len(d.out) >= n {
		return
	}
	size := max(min(2*cap(d.out), d.most), len(d.out)+n, min(minMessage, d.most))
	d.out = append(make([]byte, 0, size), d.out...)
}
