package payload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// maxDepth is how deep maps and lists may be nested, the payload itself included.
// Readers in other languages stop soon after.
const maxDepth = 500

// The codes of MessagePack that are followed by something, and nil.
const (
	codeNil     = 0xc0
	codeFalse   = 0xc2
	codeTrue    = 0xc3
	codeBin8    = 0xc4
	codeFloat32 = 0xca
	codeFloat64 = 0xcb
	codeUint8   = 0xcc
	codeUint16  = 0xcd
	codeUint32  = 0xce
	codeUint64  = 0xcf
	codeInt8    = 0xd0
	codeInt16   = 0xd1
	codeInt32   = 0xd2
	codeInt64   = 0xd3
	codeStr8    = 0xd9
	codeArray16 = 0xdc
	codeMap16   = 0xde
	fixMap      = 0x80
	fixArray    = 0x90
	fixStr      = 0xa0
)

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, codeTrue)
	}
	return append(b, codeFalse)
}

// appendInt writes n in as few bytes as it needs.
func appendInt(b []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(b, uint64(n))
	case n >= -32:
		return append(b, byte(n))
	case n >= math.MinInt8:
		return append(b, codeInt8, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, codeInt16), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, codeInt32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, codeInt64), uint64(n))
}

func appendUint(b []byte, n uint64) []byte {
	switch {
	case n <= math.MaxInt8:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, codeUint8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, codeUint16), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, codeUint32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, codeUint64), n)
}

func appendFloat64(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, codeFloat64), math.Float64bits(f))
}

func appendFloat32(b []byte, f float32) []byte {
	return binary.BigEndian.AppendUint32(append(b, codeFloat32), math.Float32bits(f))
}

// appendString writes s. What is not UTF-8 becomes U+FFFD, byte by byte, as in
// JSON: a reader in Python would fail.
func appendString[S string | []byte](b []byte, s S) []byte {
	if !valid(s) {
		s = S(string([]rune(string(s))))
	}
	return append(appendStringHeader(b, len(s)), s...)
}

func valid[S string | []byte](s S) bool {
	switch s := any(s).(type) {
	case string:
		return utf8.ValidString(s)
	case []byte:
		return utf8.Valid(s)
	}
	return false
}

func appendStringHeader(b []byte, n int) []byte {
	if n < 32 {
		return append(b, fixStr|byte(n))
	}
	return appendLength(b, codeStr8, n)
}

func appendBytes(b, data []byte) []byte {
	return append(appendLength(b, codeBin8, len(data)), data...)
}

// appendLength writes the code of the size that n needs, of which there are three
// in a row, and n.
func appendLength(b []byte, code8 byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(b, code8, byte(n))
	}
	return appendLength16(b, code8+1, n)
}

func appendLength16(b []byte, code16 byte, n int) []byte {
	if n <= math.MaxUint16 {
		return binary.BigEndian.AppendUint16(append(b, code16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, code16+1), uint32(n))
}

func appendMapHeader(b []byte, n int) []byte {
	if n < 16 {
		return append(b, fixMap|byte(n))
	}
	return appendLength16(b, codeMap16, n)
}

func appendArrayHeader(b []byte, n int) []byte {
	if n < 16 {
		return append(b, fixArray|byte(n))
	}
	return appendLength16(b, codeArray16, n)
}

// kind is what a token is.
type kind uint8

const (
	kindNil kind = iota
	kindBool
	kindInt  // fits an int64
	kindUint // does not
	kindFloat32
	kindFloat64
	kindString
	kindBytes
	kindArray
	kindMap
)

func (k kind) String() string {
	switch k {
	case kindNil:
		return "null"
	case kindBool:
		return "a bool"
	case kindString:
		return "a string"
	case kindBytes:
		return "bytes"
	case kindArray:
		return "a list"
	case kindMap:
		return "an object"
	default:
		return "a number"
	}
}

// token is a value, or the head of one.
type token struct {
	kind kind
	n    int    // of lists and maps: how many follow
	bits uint64 // of numbers and bools
	data []byte // of strings and bytes; part of what is read
}

// reader reads tokens. No length in what it reads is believed before so many
// bytes are there.
type reader struct {
	b     []byte
	i     int
	depth int
}

var (
	errShort = errors.New("the payload ends in the middle of a value")
	errDeep  = fmt.Errorf("nested more than %d levels deep", maxDepth)
)

// enter is called for what is inside a list or map, and leave after it.
func (r *reader) enter() error {
	r.depth++
	if r.depth > maxDepth {
		return errDeep
	}
	return nil
}

func (r *reader) leave() { r.depth-- }

// isNil reports whether the next value is nil, and then goes past it.
func (r *reader) isNil() bool {
	if r.i < len(r.b) && r.b[r.i] == codeNil {
		r.i++
		return true
	}
	return false
}

// peek returns the next token and stays before it.
func (r *reader) peek() (token, error) {
	at := r.i
	t, err := r.next()
	r.i = at
	return t, err
}

// next reads a token.
func (r *reader) next() (token, error) {
	if r.i >= len(r.b) {
		return token{}, errShort
	}
	c := r.b[r.i]
	r.i++
	switch {
	case c <= math.MaxInt8:
		return token{kind: kindInt, bits: uint64(c)}, nil
	case c >= 0xe0:
		return token{kind: kindInt, bits: uint64(int64(int8(c)))}, nil
	case c < fixArray:
		return r.container(kindMap, uint64(c&0x0f))
	case c < fixStr:
		return r.container(kindArray, uint64(c&0x0f))
	case c < codeNil:
		return r.text(kindString, uint64(c&0x1f))
	}
	return r.long(c)
}

// long reads a token whose code c is a byte of its own.
func (r *reader) long(c byte) (token, error) {
	switch c {
	case codeNil:
		return token{}, nil
	case codeFalse, codeTrue:
		return token{kind: kindBool, bits: uint64(c - codeFalse)}, nil
	case codeBin8, codeBin8 + 1, codeBin8 + 2:
		return r.sized(kindBytes, c-codeBin8)
	case codeStr8, codeStr8 + 1, codeStr8 + 2:
		return r.sized(kindString, c-codeStr8)
	case codeArray16, codeArray16 + 1:
		return r.sized(kindArray, c-codeArray16+1)
	case codeMap16, codeMap16 + 1:
		return r.sized(kindMap, c-codeMap16+1)
	case codeFloat32:
		n, err := r.uint(2)
		return token{kind: kindFloat32, bits: n}, err
	case codeFloat64:
		n, err := r.uint(3)
		return token{kind: kindFloat64, bits: n}, err
	case codeUint8, codeUint16, codeUint32, codeUint64:
		n, err := r.uint(c - codeUint8)
		k := kindInt
		if n > math.MaxInt64 {
			k = kindUint
		}
		return token{kind: k, bits: n}, err
	case codeInt8, codeInt16, codeInt32, codeInt64:
		n, err := r.uint(c - codeInt8)
		shift := 64 - 8<<(c-codeInt8)
		return token{kind: kindInt, bits: uint64(int64(n<<shift) >> shift)}, err
	}
	return token{}, fmt.Errorf("the payload has a value of a kind that cannot be read (code %#x)", c)
}

// uint reads a number of 1<<log bytes.
func (r *reader) uint(log byte) (n uint64, err error) {
	size := 1 << log
	if len(r.b)-r.i < size {
		return 0, errShort
	}
	for _, c := range r.b[r.i : r.i+size] {
		n = n<<8 | uint64(c)
	}
	r.i += size
	return n, nil
}

// sized reads a length of 1<<log bytes, and what it is the length of.
func (r *reader) sized(k kind, log byte) (token, error) {
	n, err := r.uint(log)
	switch {
	case err != nil:
		return token{}, err
	case k == kindArray || k == kindMap:
		return r.container(k, n)
	}
	return r.text(k, n)
}

func (r *reader) text(k kind, n uint64) (token, error) {
	if n > uint64(len(r.b)-r.i) {
		return token{}, errShort
	}
	t := token{kind: k, data: r.b[r.i : r.i+int(n)]}
	r.i += int(n)
	return t, nil
}

// container returns the head of a list or map, which has a byte for each value at
// the least.
func (r *reader) container(k kind, n uint64) (token, error) {
	left := uint64(len(r.b) - r.i)
	if k == kindMap {
		left /= 2
	}
	if n > left {
		return token{}, errShort
	}
	return token{kind: k, n: int(n)}, nil
}

// skip goes past a value.
func (r *reader) skip() error {
	for left := 1; left > 0; left-- {
		t, err := r.next()
		switch {
		case err != nil:
			return err
		case t.kind == kindMap:
			left += 2 * t.n
		case t.kind == kindArray:
			left += t.n
		}
	}
	return nil
}
