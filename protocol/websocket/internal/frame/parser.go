// Package frame parses and writes WebSocket frames (RFC 6455 section 5), for a server:
// it parses the frames of clients and writes those of servers. It has no I/O,
// goroutine, clock or lock.
package frame

import (
	"slices"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/utf8scan"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
)

// Errors of [Parser.Next] that are counted apart from other violations of the
// protocol.
var (
	ErrTooBig    = protocol.NewCloseError(protocol.CloseMessageTooBig, "message too big")
	ErrFragments = protocol.NewCloseError(protocol.ClosePolicyViolation, "message in too many frames")
	ErrControls  = protocol.NewCloseError(protocol.ClosePolicyViolation, "too many control frames")
)

var errNotUTF8 = protocol.NewCloseError(protocol.CloseInvalidPayload, "text is not UTF-8")

// Parser turns the bytes of a client into messages and control frames. It is
// resumable: the bytes may come in pieces of any size, and the parser keeps what it
// needs of them. Make one with NewParser for each connection. A Parser is not safe
// for concurrent use.
type Parser struct {
	maxMessage   int // bytes, over all frames
	maxFrame     int // bytes; 0 means maxMessage
	maxFragments int // frames of a message; 0 means any number
	maxControls  int // control frames, see controls; 0 means any number

	header    [ws.MaxHeaderSize]byte // of the frame whose header is incomplete
	headerLen uint8

	inFrame  bool
	frame    ws.Header // the frame whose payload is incomplete
	frameLen int       // bytes of that payload so far

	op       ws.OpCode         // of the incomplete message, or 0
	text     utf8scan.State    // of the incomplete message so far, if it is text
	body     *bytespool.Buffer // its payload so far, unmasked; nil if nothing had to be kept
	frames   int               // of it so far
	controls int               // control frames within it; between messages, since the last one or ResetControls
	messages uint32            // complete ones so far
	discards bool              // payloads of messages are dropped

	control    [ws.MaxControlFramePayloadSize]byte // payload of a control frame so far
	controlLen uint8
}

// NewParser returns a parser for a new connection with the limits l.
func NewParser(l *protocol.Limits) Parser {
	return Parser{
		maxMessage: l.MaxMessage, maxFrame: l.MaxFrame,
		maxFragments: l.MaxFragments, maxControls: l.MaxControlFrames,
	}
}

// Item is a message or a control frame. OpCode is that of its first frame.
//
// Data is lent: it lies in the bytes that were passed to [Parser.Next] or in the
// parser's own memory, and is valid until the caller changes the former or calls
// Next or ReleaseBuffer again.
type Item struct {
	OpCode ws.OpCode
	Data   []byte
}

// Next consumes bytes of b until an item is complete, and returns the rest of b. If no
// item is complete at the end of b, ok is false and all of b is consumed. Next changes
// b: it unmasks payloads in place.
//
// An error is a [*protocol.CloseError]: the close to answer the peer's violation with.
// The parser is unusable afterwards.
func (p *Parser) Next(b []byte) (it Item, rest []byte, ok bool, err error) {
	for {
		if !p.inFrame {
			if b, ok, err = p.readHeader(b); !ok || err != nil {
				return Item{}, nil, false, err
			}
		}
		var done bool
		it, b, done, err = p.readPayload(b)
		if !done || err != nil {
			return Item{}, nil, false, err
		}
		if it, ok, err = p.endFrame(it); ok || err != nil {
			return it, b, ok, err
		}
	}
}

// readHeader consumes a frame's header, the first bytes of which may have come with an
// earlier call of Next, and starts the frame. ok is false if the header is incomplete.
func (p *Parser) readHeader(b []byte) (rest []byte, ok bool, err error) {
	if p.headerLen == 0 {
		if h, n, err := parseHeader(b); n > 0 || err != nil {
			return b[n:], err == nil, p.startFrame(h, err)
		}
	}
	n := copy(p.header[p.headerLen:], b)
	h, size, err := parseHeader(p.header[:int(p.headerLen)+n])
	if size == 0 && err == nil {
		p.headerLen += uint8(n) //nolint:gosec // the header is short
		return nil, false, nil
	}
	rest = b[max(size-int(p.headerLen), 0):]
	p.headerLen = 0
	return rest, err == nil, p.startFrame(h, err)
}

// startFrame checks a frame by its header alone. err is the error of parseHeader.
func (p *Parser) startFrame(h ws.Header, err error) error {
	if err != nil {
		return err
	}
	if err := ws.CheckHeader(h, p.headerState()); err != nil {
		return protocol.NewCloseError(protocol.CloseProtocolError, err.Error())
	}
	if err := p.countFrame(h); err != nil {
		return err
	}
	p.frame, p.inFrame, p.frameLen, p.controlLen = h, true, 0, 0
	return nil
}

// headerState returns what ws.CheckHeader has to know. Without ws.StateExtended it
// refuses all reserved bits. An extension that uses one of them sets the flag, and has
// to check the bits itself: ws.CheckHeader then accepts any.
func (p *Parser) headerState() ws.State {
	state := ws.StateServerSide
	if p.op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	return state
}

// countFrame checks a valid frame against the limits, and starts a message if the
// frame is the first of one.
func (p *Parser) countFrame(h ws.Header) error {
	if h.OpCode.IsControl() {
		p.controls++
		if p.maxControls > 0 && p.controls > p.maxControls {
			return ErrControls
		}
		return nil
	}
	if h.Length > int64(p.maxNextFrame()) {
		return ErrTooBig
	}
	if h.OpCode != ws.OpContinuation {
		p.op, p.text, p.frames, p.controls = h.OpCode, utf8scan.Good, 0, 0
		if p.body != nil {
			p.body.B = p.body.B[:0] // it was lent with the last message
		}
	}
	p.frames++
	if p.maxFragments > 0 && p.frames > p.maxFragments {
		return ErrFragments
	}
	return nil
}

// ResetControls forgets the control frames between messages that have been counted
// against Limits.MaxControlFrames. The caller calls it as time passes. Within a message
// it has no effect.
func (p *Parser) ResetControls() {
	if p.op == 0 {
		p.controls = 0
	}
}

// Incomplete returns a number that identifies the message, or the frame between
// messages, of which a part has come; 0 if there is none.
func (p *Parser) Incomplete() uint32 {
	if p.op == 0 && !p.inFrame && p.headerLen == 0 {
		return 0
	}
	return p.messages | 1<<31
}

// readPayload consumes bytes of the frame's payload. done reports whether the payload
// is complete; it is the item's data then, without a copy if the message is one frame
// that lies in b as a whole. Text fails as soon as no continuation can make it valid.
func (p *Parser) readPayload(b []byte) (it Item, rest []byte, done bool, err error) {
	missing := int(p.frame.Length) - p.frameLen
	part := b[:min(missing, len(b))]
	rest = b[len(part):]
	ws.Cipher(part, p.frame.Mask, p.frameLen)
	p.frameLen += len(part)
	done = len(part) == missing
	if p.frame.OpCode.IsControl() {
		p.controlLen += uint8(copy(p.control[p.controlLen:], part)) //nolint:gosec // at most 125
		return Item{p.frame.OpCode, p.control[:p.controlLen]}, rest, done, nil
	}
	if p.discards {
		return Item{OpCode: p.op}, rest, done, nil
	}
	if p.op == ws.OpText {
		p.text = p.text.Read(part)
	}
	switch {
	case p.text == utf8scan.Bad:
		return Item{}, nil, false, errNotUTF8
	case done && p.frame.Fin && p.frameLen == len(part) && p.PayloadLen() == 0:
		it = Item{p.op, part}
	default:
		p.keep(part)
		it = Item{p.op, p.body.B}
	}
	return it, rest, done, nil
}

// endFrame ends a frame whose payload is complete. ok reports whether it, too, is a
// complete item.
func (p *Parser) endFrame(it Item) (_ Item, ok bool, err error) {
	p.inFrame = false
	if p.frame.OpCode.IsControl() {
		return it, true, nil
	}
	if !p.frame.Fin {
		return Item{}, false, nil
	}
	if p.text != utf8scan.Good { // the message ends within a rune
		return Item{}, false, errNotUTF8
	}
	p.op, p.controls = 0, 0
	p.messages++
	return it, true, nil
}

// maxNextFrame returns the largest payload that the next data frame may have.
func (p *Parser) maxNextFrame() int {
	room := p.maxMessage - p.PayloadLen()
	if p.maxFrame > 0 {
		room = min(room, p.maxFrame)
	}
	return room
}

// PayloadLen returns how many bytes of the incomplete message's payload have come, 0 if
// no message is incomplete.
func (p *Parser) PayloadLen() int {
	if p.body == nil || p.op == 0 {
		return 0
	}
	return len(p.body.B)
}

// maxReserve bounds the memory that is reserved for a frame before its payload comes:
// its header may announce any length.
const maxReserve = 4 << 10

// keep appends part to the incomplete message.
func (p *Parser) keep(part []byte) {
	if p.body == nil {
		p.body = bytespool.Get()
	}
	if len(p.body.B) == 0 {
		p.body.B = slices.Grow(p.body.B, int(min(p.frame.Length, maxReserve)))
	}
	p.body.B = append(p.body.B, part...)
}

// DiscardMessages releases the incomplete message, and makes the parser drop the
// payloads of messages from now on: their items are empty. Control frames are not
// affected.
func (p *Parser) DiscardMessages() {
	p.discards, p.text = true, utf8scan.Good
	p.releaseBody()
}

// BufferSize returns the size of the memory that the parser holds for messages.
func (p *Parser) BufferSize() int {
	if p.body == nil {
		return 0
	}
	return cap(p.body.B)
}

// ReleaseBuffer releases the memory for messages, unless a message is incomplete. The
// data of the last item becomes invalid.
func (p *Parser) ReleaseBuffer() {
	if p.op == 0 {
		p.releaseBody()
	}
}

func (p *Parser) releaseBody() {
	if p.body != nil {
		p.body.Release()
		p.body = nil
	}
}

// DisownBuffer makes the data of the last item valid for good: the parser gives up the
// memory in which it may lie, without recycling it. The bytes that were passed to Next
// remain the caller's.
func (p *Parser) DisownBuffer() {
	if p.op == 0 {
		p.body = nil
	}
}
