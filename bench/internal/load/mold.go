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
// like when they come back. All of them are equal but for a stamp at the start
// and, if it fits, another at the end, so that a server that mixes up halves of
// messages is found out too.
type mold struct {
	want   []byte // a payload, without its stamps
	frames []byte // as many frames as are ever sent at once, masked
	size   int    // of a frame
	head   int    // where the payload starts in a frame
	mask   int    // where the payload starts in what is masked
	tail   int    // where the second stamp is, 0 if there is none
	masked bool
}

func newMold(payload, depth int, data Data, raw bool) *mold {
	return newMoldIn(&dialect{}, payload, depth, data, raw)
}

// newMoldIn returns a mold whose payloads are sent in a dialect.
func newMoldIn(d *dialect, payload, depth int, data Data, raw bool) *mold {
	m := &mold{want: make([]byte, payload), masked: !raw, mask: len(d.before)}
	for i := range m.want {
		m.want[i] = 'a' + byte(i*7+i/26)%26
	}
	if payload >= 2*StampLen {
		m.tail = payload - StampLen
	}
	if data == Chinese {
		writeChinese(m.want[StampLen : payload-min(m.tail, StampLen)])
	}
	one := slices.Concat([]byte(d.before), m.want, []byte(d.after))
	if m.masked {
		one = maskedFrame(frame.OpText, one)
	}
	m.size = len(one)
	m.head = m.size - len(d.after) - payload
	m.frames = bytes.Repeat(one, depth)
	return m
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
	m.frames[m.size-payload+chore.MarkAt] = chore.Mark ^ mask[chore.MarkAt%len(mask)]
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
	for i := range n {
		s := newStamp(id, first+uint32(i))
		payload := m.frames[i*m.size+m.head:]
		m.put(payload, 0, s)
		if m.tail > 0 {
			m.put(payload, m.tail, s)
		}
	}
	return m.frames[:n*m.size]
}

func (m *mold) put(payload []byte, at int, s stamp) {
	copy(payload[at:], s[:])
	if m.masked {
		ws.Cipher(payload[at:at+StampLen], mask, m.mask+at)
	}
}

// check compares what has come with message seq of connection id.
func (m *mold) check(got []byte, id, seq uint32) error {
	s := newStamp(id, seq)
	if len(got) == len(m.want) && [StampLen]byte(got) == s {
		if m.tail == 0 && bytes.Equal(got[StampLen:], m.want[StampLen:]) {
			return nil
		}
		if m.tail > 0 && [StampLen]byte(got[m.tail:]) == s && bytes.Equal(got[StampLen:m.tail], m.want[StampLen:m.tail]) {
			return nil
		}
	}
	return m.mismatch(got, id, seq)
}

// mismatch says where the two differ.
func (m *mold) mismatch(got []byte, id, seq uint32) error {
	s := newStamp(id, seq)
	want := bytes.Clone(m.want)
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
