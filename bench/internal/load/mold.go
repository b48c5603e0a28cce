package load

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/chore"
	"github.com/wye-go/wye/bench/internal/frame"
)

const (
	// StampLen is how many bytes of a message tell it from all others: the
	// sender and a number that counts up, six bits to a byte.
	StampLen = 8
	maxStamp = 1 << 24
)

// mask is the key of all client frames. It is no secret on a loopback, and a
// fixed key lets frames be masked once.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x9d}

type stamp [StampLen]byte

// digits are those of stamps. In JSON, none of them is escaped.
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"

// newStamp returns what identifies message seq of connection id, in printable
// ASCII, so that text frames stay valid UTF-8.
func newStamp(id, seq uint32) (s stamp) {
	for i := range 4 {
		s[i] = digits[id>>(6*i)&63]
		s[4+i] = digits[seq>>(6*i)&63]
	}
	return s
}

// mold makes the messages of a run, ready to be sent, and knows what they look
// like when they come back. Messages with the same remainder of their number are equal but
// for a stamp at the start and, if it fits, another at the end, so that a server that mixes
// up halves of messages is found out too.
type mold struct {
	want   []byte // the first payload, without its stamps
	shapes []shape
	tail   int // where the second stamp is in a payload, 0 if there is none
	masked bool
	buf    []byte // what make returns
}

// shape is one of the messages of a mold.
type shape struct {
	want  []byte // the payload, without its stamps
	frame []byte // masked
	head  int    // where what is masked starts in frame
	first int    // where the first stamp is in what is masked
	last  int    // where the second one is, if there is one
}

func newMold(payload, depth int, data Data, raw bool) *mold {
	return newMoldIn(&dialect{}, payload, depth, data, raw)
}

// newMoldIn returns a mold whose payloads are sent in a dialect.
func newMoldIn(d *dialect, payload, depth int, data Data, raw bool) *mold {
	m := &mold{masked: !raw}
	if payload >= 2*StampLen {
		m.tail = payload - StampLen
	}
	for _, want := range m.payloads(payload, data) {
		one := slices.Concat([]byte(d.before), want, []byte(d.after))
		s := shape{want: want, frame: one, first: len(d.before), last: len(d.before) + m.tail}
		if m.masked {
			s.frame = maskedFrame(frame.OpText, one)
		}
		s.head = len(s.frame) - len(one)
		m.shapes = append(m.shapes, s)
	}
	m.want = m.shapes[0].want
	m.buf = make([]byte, 0, depth*len(m.shapes[0].frame))
	return m
}

// payloads returns what the messages are: one, or for JSON many.
func (m *mold) payloads(size int, data Data) (all [][]byte) {
	b := make([]byte, size)
	inner := func(b []byte) []byte { return b[min(StampLen, len(b)) : size-min(m.tail, StampLen)] }
	if data == JSON {
		for i := range jsonShapes {
			b := bytes.Repeat([]byte{' '}, size)
			writeJSON(inner(b), uint64(i))
			all = append(all, b)
		}
		return all
	}
	for i := range b {
		b[i] = 'a' + byte(i*7+i/26)%26
	}
	if data == Chinese {
		writeChinese(inner(b))
	}
	return [][]byte{b}
}

// maskedFrame returns a message in one frame, or a control frame.
func maskedFrame(op byte, payload []byte) []byte {
	b := frame.AppendHeader(nil, frame.Fin|op, len(payload), &mask)
	head := len(b)
	b = append(b, payload...)
	ws.Cipher(b[head:], mask, 0)
	return b
}

// newMarkedMold returns a mold for messages with the mark that lets a callback sleep.
func newMarkedMold(payload int) *mold {
	m := newMold(payload, 1, ASCII, false)
	m.want[chore.MarkAt] = chore.Mark
	one := &m.shapes[0]
	one.frame[one.head+chore.MarkAt] = chore.Mark ^ mask[chore.MarkAt%len(mask)]
	return m
}

// writeChinese fills b with characters; letters stay where none fits.
func writeChinese(b []byte) {
	const first, some, size = '一', 20_000, 3
	for i := 0; len(b) >= size; i++ {
		b = b[utf8.EncodeRune(b, first+rune(i*7%some)):]
	}
}

// make returns n frames of connection id, numbered from first. They are valid
// until the next call.
func (m *mold) make(id, first uint32, n int) []byte {
	m.buf = m.buf[:0]
	for i := range uint32(n) {
		one := m.shape(first + i)
		at := len(m.buf) + one.head
		m.buf = append(m.buf, one.frame...)
		s := newStamp(id, first+i)
		m.put(m.buf[at:], one.first, s)
		if m.tail > 0 {
			m.put(m.buf[at:], one.last, s)
		}
	}
	return m.buf
}

// shape returns what message seq is like.
func (m *mold) shape(seq uint32) *shape { return &m.shapes[seq%maxStamp%uint32(len(m.shapes))] }

func (m *mold) put(b []byte, at int, s stamp) {
	copy(b[at:], s[:])
	if m.masked {
		ws.Cipher(b[at:at+StampLen], mask, at)
	}
}

// check compares what has come with message seq of connection id.
func (m *mold) check(got []byte, id, seq uint32) error {
	s, all := newStamp(id, seq), m.shape(seq).want
	if len(got) == len(all) && [StampLen]byte(got) == s {
		if m.tail == 0 && bytes.Equal(got[StampLen:], all[StampLen:]) {
			return nil
		}
		if m.tail > 0 && [StampLen]byte(got[m.tail:]) == s && bytes.Equal(got[StampLen:m.tail], all[StampLen:m.tail]) {
			return nil
		}
	}
	return m.mismatch(got, id, seq)
}

// mismatch says where the two differ.
func (m *mold) mismatch(got []byte, id, seq uint32) error {
	s := newStamp(id, seq)
	want := bytes.Clone(m.shape(seq).want)
	copy(want, s[:])
	if m.tail > 0 {
		copy(want[m.tail:], s[:])
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Errorf("message %d of connection %d: %d bytes came back, want %d; they differ at %d: %.24q, want %.24q",
		seq, id, len(got), len(want), at, got[at:], want[at:])
}
