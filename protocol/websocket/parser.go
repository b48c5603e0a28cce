package websocket

import (
	"encoding/binary"
	"slices"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/utf8scan"
	"github.com/wye-go/wye/protocol"
)

// parser turns the bytes of a client into messages and control frames. It is
// resumable: it takes what there is, in pieces of any size, and keeps what it
// needs of them. It has no I/O, clock or goroutine in it. Its zero value with a
// maxMessage is at the beginning of a connection.
type parser struct {
	maxMessage   int // bytes, over all frames
	maxFrame     int // bytes; 0 means maxMessage
	maxFragments int // frames of a message; 0 means any
	maxControls  int // control frames within a message, and between calls of calm; 0 means any

	head    [ws.MaxHeaderSize]byte // of the frame whose header is incomplete
	headLen uint8

	inFrame bool
	frame   ws.Header // the frame whose payload is incomplete
	got     int       // of its payload

	fragments int            // of the message that is incomplete, so far
	controls  int            // within it, or since the last message or calm
	body      *chunk         // of it so far, unmasked; nil if nothing had to be kept
	messages  uint32         // that were complete
	op        ws.OpCode      // of the message that is incomplete, or 0
	text      utf8scan.State // of it so far, if it is text
	ignores   bool           // the payload of messages: nobody will get them

	control    [ws.MaxControlFramePayloadSize]byte // payload of a control frame so far
	controlLen uint8
}

func newParser(l *protocol.Limits) parser {
	return parser{
		maxMessage: l.MaxMessage, maxFrame: l.MaxFrame,
		maxFragments: l.MaxFragments, maxControls: l.MaxControlFrames,
	}
}

// item is a whole message, or a control frame. data is valid until the next call
// of next, or as long as the bytes given to it stay as they are.
type item struct {
	op   ws.OpCode
	data []byte
}

// The ways in which a client can break the rules, as the closes they cause.
var (
	errTooBig     = protocol.Close(protocol.CloseMessageTooBig, "message too big")
	errNotUTF8    = protocol.Close(protocol.CloseInvalidPayload, "text is not UTF-8")
	errFragments  = protocol.Close(protocol.ClosePolicyViolation, "message in too many frames")
	errControls   = protocol.Close(protocol.ClosePolicyViolation, "too many control frames")
	errNotMinimal = protocol.Close(protocol.CloseProtocolError, "frame length not in its shortest form")
	errLength     = protocol.Close(protocol.CloseProtocolError, "frame length out of range")
)

// next takes bytes from b until an item is complete, and returns the rest. If b
// ends before, ok is false and all of it has been taken. b is changed: payloads
// are unmasked where they lie. After an error the parser is of no more use.
func (p *parser) next(b []byte) (it item, rest []byte, ok bool, err error) {
	for {
		if !p.inFrame {
			if b, ok, err = p.takeHeader(b); !ok || err != nil {
				return item{}, nil, false, err
			}
		}
		var done bool
		it, b, done, err = p.takePayload(b)
		if !done || err != nil {
			return item{}, nil, false, err
		}
		if it, ok, err = p.frameEnd(it); ok || err != nil {
			return it, b, ok, err
		}
	}
}

// takeHeader reads a frame's header, of which the first bytes may have come
// before.
func (p *parser) takeHeader(b []byte) (rest []byte, ok bool, err error) {
	if p.headLen == 0 {
		if h, n, err := parseHeader(b); n > 0 || err != nil {
			return b[n:], err == nil, p.begin(h, err)
		}
	}
	n := copy(p.head[p.headLen:], b)
	h, size, err := parseHeader(p.head[:int(p.headLen)+n])
	if size == 0 && err == nil {
		p.headLen += uint8(n) //nolint:gosec // the head is short
		return nil, false, nil
	}
	rest = b[max(size-int(p.headLen), 0):]
	p.headLen = 0
	return rest, err == nil, p.begin(h, err)
}

// begin checks a frame by its header alone.
func (p *parser) begin(h ws.Header, err error) error {
	if err != nil {
		return err
	}
	state := ws.StateServerSide
	if p.op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return protocol.Close(protocol.CloseProtocolError, err.Error())
	}
	if err := p.count(h); err != nil {
		return err
	}
	p.frame, p.inFrame, p.got, p.controlLen = h, true, 0, 0
	return nil
}

// count checks a good frame against the bounds, and begins a message with it if
// it is the first of one.
func (p *parser) count(h ws.Header) error {
	if h.OpCode.IsControl() {
		p.controls++
		if p.maxControls > 0 && p.controls > p.maxControls {
			return errControls
		}
		return nil
	}
	if h.Length > int64(p.room()) {
		return errTooBig
	}
	if h.OpCode != ws.OpContinuation {
		p.op, p.text, p.fragments, p.controls = h.OpCode, utf8scan.Good, 0, 0
		if p.body != nil {
			p.body.b = p.body.b[:0] // it was lent with the last message
		}
	}
	p.fragments++
	if p.maxFragments > 0 && p.fragments > p.maxFragments {
		return errFragments
	}
	return nil
}

// calm forgets the control frames that have come between messages: some time has
// passed.
func (p *parser) calm() {
	if p.op == 0 {
		p.controls = 0
	}
}

// incomplete names the message, or the frame between messages, of which only a
// part has come; 0 if there is none.
func (p *parser) incomplete() uint32 {
	if p.op == 0 && !p.inFrame && p.headLen == 0 {
		return 0
	}
	return p.messages | 1<<31
}

// takePayload reads a frame's payload. done means that it is complete; a whole
// message that lies in b is then returned as it lies there. Text fails as soon
// as it cannot become UTF-8 any more.
func (p *parser) takePayload(b []byte) (it item, rest []byte, done bool, err error) {
	want := int(p.frame.Length) - p.got
	part := b[:min(want, len(b))]
	rest = b[len(part):]
	ws.Cipher(part, p.frame.Mask, p.got)
	p.got += len(part)
	done = len(part) == want
	if p.frame.OpCode.IsControl() {
		p.controlLen += uint8(copy(p.control[p.controlLen:], part)) //nolint:gosec // at most 125
		return item{p.frame.OpCode, p.control[:p.controlLen]}, rest, done, nil
	}
	if p.ignores {
		return item{op: p.op}, rest, done, nil
	}
	if p.op == ws.OpText {
		p.text = p.text.Read(part)
	}
	switch {
	case p.text == utf8scan.Bad:
		return item{}, nil, false, errNotUTF8
	case done && p.frame.Fin && p.got == len(part) && p.kept() == 0:
		it = item{p.op, part}
	default:
		p.keep(part)
		it = item{p.op, p.body.b}
	}
	return it, rest, done, nil
}

// frameEnd decides whether a complete frame completes an item.
func (p *parser) frameEnd(it item) (_ item, ok bool, err error) {
	p.inFrame = false
	if p.frame.OpCode.IsControl() {
		return it, true, nil
	}
	if !p.frame.Fin {
		return item{}, false, nil
	}
	if p.text != utf8scan.Good { // it ends within a rune
		return item{}, false, errNotUTF8
	}
	p.op, p.controls = 0, 0
	p.messages++
	return it, true, nil
}

// room is how large the next frame may be.
func (p *parser) room() int {
	room := p.maxMessage - p.kept()
	if p.maxFrame > 0 {
		room = min(room, p.maxFrame)
	}
	return room
}

// kept is how much of the incomplete message has been kept.
func (p *parser) kept() int {
	if p.body == nil || p.op == 0 {
		return 0
	}
	return len(p.body.b)
}

// firstRoom bounds what a frame's announced length makes us allocate before its
// bytes have come.
const firstRoom = 4 << 10

// keep adds to the incomplete message.
func (p *parser) keep(part []byte) {
	if p.body == nil {
		p.body = chunks.Get().(*chunk) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	}
	if len(p.body.b) == 0 {
		p.body.b = slices.Grow(p.body.b, int(min(p.frame.Length, firstRoom)))
	}
	p.body.b = append(p.body.b, part...)
}

// ignore drops what is kept of the incomplete message, and from now on keeps nothing:
// messages come out empty.
func (p *parser) ignore() {
	p.ignores, p.text = true, utf8scan.Good
	if p.body != nil {
		p.body.release()
		p.body = nil
	}
}

// held is the memory of the incomplete message.
func (p *parser) held() int {
	if p.body == nil || p.op == 0 {
		return 0
	}
	return cap(p.body.b)
}

// rest lets go of memory that is needed for incomplete messages only. What was
// lent with the last item is not valid any more.
func (p *parser) rest() {
	if p.op == 0 && p.body != nil {
		p.body.release()
		p.body = nil
	}
}

// abandon lets go of what was lent with the last item, because it is still in
// use.
func (p *parser) abandon() {
	if p.op == 0 {
		p.body = nil
	}
}

const (
	bitFin  = 0x80
	bitMask = 0x80
	bitsLen = 0x7f
)

// parseHeader reads a frame's header from the front of b. n is its size, 0 if b
// is too short. It checks what ws.CheckHeader does not: lengths.
func parseHeader(b []byte) (h ws.Header, n int, err error) {
	if len(b) < ws.MinHeaderSize {
		return h, 0, nil
	}
	h.Fin = b[0]&bitFin != 0
	h.Rsv = b[0] & 0x70 >> 4
	h.OpCode = ws.OpCode(b[0] & 0x0f)
	h.Masked = b[1]&bitMask != 0
	h.Length = int64(b[1] & bitsLen)
	if n, err = extendedLength(b, &h.Length); n == 0 || err != nil {
		return h, 0, err
	}
	if !h.Masked {
		return h, n, nil
	}
	if len(b) < n+len(h.Mask) {
		return h, 0, nil
	}
	n += copy(h.Mask[:], b[n:])
	return h, n, nil
}

// extendedLength reads the length that follows the first two bytes, if there is
// one (RFC 6455 section 5.2). n is where the mask begins, 0 if b is too short.
func extendedLength(b []byte, length *int64) (n int, err error) {
	switch {
	case *length < 126:
		return 2, nil
	case *length == 126:
		if len(b) < 4 {
			return 0, nil
		}
		*length = int64(binary.BigEndian.Uint16(b[2:]))
		if *length < 126 {
			return 0, errNotMinimal
		}
		return 4, nil
	case len(b) < 10:
		return 0, nil
	}
	*length = int64(binary.BigEndian.Uint64(b[2:])) //nolint:gosec // a negative one is refused below
	switch {
	case *length < 0:
		return 0, errLength
	case *length <= 0xffff:
		return 0, errNotMinimal
	}
	return 10, nil
}
