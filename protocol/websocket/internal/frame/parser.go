// Package frame parses and writes WebSocket frames (RFC 6455 section 5), for a server:
// it parses the frames of clients and writes those of servers. It has no I/O,
// goroutine, clock or lock.
package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/utf8scan"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
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
// needs of them, in memory that it holds only while something is incomplete. Make one
// with NewParser for each connection. A Parser is not safe for concurrent use.
type Parser struct {
	rules    *Rules
	partial  *partial // nil if nothing is kept
	messages uint32   // complete ones so far
	controls uint32   // control frames within the incomplete message; between messages, since the last one or ResetControls
}

// NewParser returns a parser for a new connection.
func NewParser(r *Rules) Parser { return Parser{rules: r} }

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
// item is complete at the end of b, ok is false and all of b is consumed; if there is a
// rest, inflating has taken long, and Next is to be called again with it (see
// [Parser.TakeWork]). Next changes b: it unmasks payloads in place.
//
// An error is a [*protocol.CloseError]: the close to answer the peer's violation with.
// The parser is unusable afterwards.
func (p *Parser) Next(b []byte) (it Item, rest []byte, ok bool, err error) {
	if p.partial == nil && len(b) > 6 {
		if n := int(b[1]) - bitMask; n >= 0 && n <= p.rules.maxSmall && n <= len(b)-6 {
			if op := ws.OpCode(b[0]) ^ bitFin; op == ws.OpText || op == ws.OpBinary {
				it, err = p.readSmall(op, b[:6+n])
				return it, b[6+n:], err == nil, err
			}
		}
	}
	for rest = b; ; {
		if !p.inFrame() {
			if it, rest, ok, err = p.nextFrame(rest); err != nil || !p.inFrame() {
				return it, rest, ok, err
			}
		}
		if it, rest, ok, err = p.readPayload(rest); ok || err != nil || p.inFrame() {
			return it, rest, ok, err
		}
	}
}

// readSmall returns the message that frame is as a whole: not fragmented, masked, and of
// at most Rules.maxSmall bytes. Most messages are such, and checkFrame would accept the
// frame: this does the rest of what nextFrame does, in fewer steps (BenchmarkParse).
func (p *Parser) readSmall(op ws.OpCode, frame []byte) (Item, error) {
	p.controls = 0
	p.messages++
	it := Item{op, frame[6:len(frame):len(frame)]}
	var ascii bool
	mask := binary.LittleEndian.Uint32(frame[2:])
	if len(it.Data) < 8 {
		ascii = unmaskBytes(it.Data, mask)
	} else {
		ascii = unmaskWords(it.Data, mask)
	}
	if !ascii && op == ws.OpText && !utf8scan.Valid(it.Data) {
		return Item{}, errNotUTF8
	}
	return it, nil
}

// inFrame reports whether the payload of a frame is incomplete.
func (p *Parser) inFrame() bool { return p.partial != nil && p.partial.inFrame }

// nextFrame consumes a frame's header, and all of the frame if that is an item by itself
// and lies in b.
func (p *Parser) nextFrame(b []byte) (it Item, rest []byte, ok bool, err error) {
	h, rest, ok, err := p.readHeader(b)
	if ok && err == nil {
		err = p.checkFrame(&h)
	}
	if !ok || err != nil {
		return Item{}, nil, false, err
	}
	if n := h.length; n <= int64(len(rest)) && p.isItem(&h) {
		it, err = p.readWhole(&h, rest[:n:n])
		return it, rest[n:], err == nil, err
	}
	p.startFrame(&h)
	return Item{}, rest, false, nil
}

// readHeader consumes a frame's header, the first bytes of which may have come with an
// earlier call of Next. ok is false if the header is incomplete.
func (p *Parser) readHeader(b []byte) (h header, rest []byte, ok bool, err error) {
	if s := p.partial; s == nil || s.headerLen == 0 {
		if h, n, err := parseHeader(b); n > 0 || err != nil {
			return h, b[n:], err == nil, err
		}
	}
	return p.keep().readHeader(b)
}

// checkFrame checks a frame by its header alone.
func (p *Parser) checkFrame(h *header) error {
	fragmented := p.inMessage()
	// A message in one frame is most of what comes, and passes the check (BenchmarkParse).
	if plain := h.first == bitFin|byte(ws.OpText) || h.first == bitFin|byte(ws.OpBinary); fragmented || !plain || !h.masked {
		checked := *h
		if p.startsCompressed(h) {
			checked.first &^= bitRsv1
		}
		if err := checked.check(fragmented); err != nil {
			return err
		}
	}
	if h.isControl() {
		p.controls++
		if p.rules.maxControls > 0 && int(p.controls) > p.rules.maxControls {
			return ErrControls
		}
		return nil
	}
	room := p.rules.maxNextFrame(p.PayloadLen())
	if p.isCompressed(h) {
		room = p.rules.maxNextCompressed(p.PayloadLen())
	}
	if h.length > int64(room) {
		return ErrTooBig
	}
	if !fragmented {
		p.controls = 0
		return nil
	}
	p.partial.frames++
	if p.rules.maxFragments > 0 && p.partial.frames > p.rules.maxFragments {
		return ErrFragments
	}
	return nil
}

// inMessage reports whether a message is incomplete of which a whole header has come.
func (p *Parser) inMessage() bool { return p.partial != nil && p.partial.op != 0 }

// isItem reports whether a frame is an item by itself.
func (p *Parser) isItem(h *header) bool {
	return h.isControl() || h.fin() && !p.inMessage() && !p.startsCompressed(h)
}

// readWhole returns the item that one frame is, whose payload lies in b as a whole.
func (p *Parser) readWhole(h *header, payload []byte) (Item, error) {
	it := Item{OpCode: h.opCode()}
	if !h.isControl() {
		p.messages++
		if p.rules.discards() {
			return it, nil
		}
	}
	it.Data = payload
	if ascii := unmask(payload, h.mask); !ascii && it.OpCode == ws.OpText && !utf8scan.Valid(payload) {
		return Item{}, errNotUTF8
	}
	return it, nil
}

// startFrame starts a frame whose payload is incomplete, or part of a larger message.
func (p *Parser) startFrame(h *header) {
	s := p.keep()
	s.frame, s.inFrame, s.missing, s.controlLen = *h, true, int(h.length), 0
	if !h.isControl() && s.op == 0 {
		s.startMessage(h.opCode(), p.startsCompressed(h))
	}
}

// readPayload consumes bytes of the frame's payload. ok reports whether they complete an
// item. Its data is not copied if it is one frame that lies in b as a whole. Text fails as
// soon as no continuation can make it valid.
func (p *Parser) readPayload(b []byte) (it Item, rest []byte, ok bool, err error) {
	s := p.partial
	if s.compressed && !s.frame.isControl() {
		return p.readCompressed(b)
	}
	whole := s.missing == int(s.frame.length)
	n := min(s.missing, len(b))
	part, rest := b[:n:n], b[n:]
	s.missing -= n
	s.inFrame = s.missing > 0
	if s.frame.isControl() {
		s.unmask(part)
		return Item{s.frame.opCode(), s.appendControl(part)}, rest, !s.inFrame, nil
	}
	it.OpCode = s.op
	if !p.rules.discards() {
		if !s.unmask(part) {
			return Item{}, nil, false, errNotUTF8
		}
		it.Data = part
		if !whole || s.inFrame || !s.frame.fin() || p.PayloadLen() > 0 {
			it.Data = s.append(part)
		}
	}
	if s.inFrame || !s.frame.fin() {
		return Item{}, rest, false, nil
	}
	err = p.endMessage()
	return it, rest, err == nil, err
}

// endMessage ends the message, all of which has come.
func (p *Parser) endMessage() error {
	if p.partial.text != utf8scan.Good { // it ends within a rune
		return errNotUTF8
	}
	p.partial.op, p.partial.compressed, p.controls = 0, false, 0
	p.messages++
	return nil
}

// ResetControls forgets the control frames between messages that have been counted
// against Limits.MaxControlFrames. The caller calls it as time passes. Within a message
// it has no effect.
func (p *Parser) ResetControls() {
	if !p.inMessage() {
		p.controls = 0
	}
}

// Incomplete returns a number that identifies the message, or the frame between
// messages, of which a part has come; 0 if there is none.
func (p *Parser) Incomplete() uint32 {
	if p.isComplete() {
		return 0
	}
	return p.messages | 1<<31
}

// isComplete reports whether nothing of what has come is incomplete.
func (p *Parser) isComplete() bool {
	s := p.partial
	return s == nil || s.op == 0 && !s.inFrame && s.headerLen == 0
}

// PayloadLen returns how many bytes of the incomplete message's payload have come, 0 if
// no message is incomplete. A compressed message is not inflated for that.
func (p *Parser) PayloadLen() int {
	switch {
	case !p.inMessage():
		return 0
	case p.partial.compressed:
		return p.partial.wire
	case p.partial.body == nil:
		return 0
	}
	return len(p.partial.body.B)
}

// DiscardMessages releases the incomplete message, and makes the parser drop the
// payloads of messages from now on: their items are empty. Control frames are not
// affected.
func (p *Parser) DiscardMessages() {
	p.rules = p.rules.discarding
	if s := p.partial; s != nil {
		s.text = utf8scan.Good
		s.releaseBody()
		s.releaseInflater()
		s.window.Clear()
	}
}

// BufferSize returns the size of the memory that the parser holds for messages, without
// that of [Parser.WindowSize].
func (p *Parser) BufferSize() (n int) {
	if p.partial == nil {
		return 0
	}
	if p.partial.body != nil {
		n = cap(p.partial.body.B)
	}
	if p.partial.inflater != nil {
		n += deflate.InflaterSize
	}
	return n
}

// ReleaseBuffer releases the memory that the parser does not need: all of it, unless a
// message or frame is incomplete. The data of the last item becomes invalid. The caller
// calls it when it has no more bytes for now.
func (p *Parser) ReleaseBuffer() {
	s := p.partial
	if s == nil || s.op != 0 {
		return
	}
	s.releaseBody()
	if p.isComplete() && s.window.Size() == 0 {
		p.partial = nil
		s.release()
	}
}

// DisownBuffer makes the data of the last item valid for good: the parser gives up the
// memory in which it may lie, without recycling it. The bytes that were passed to Next
// remain the caller's.
func (p *Parser) DisownBuffer() {
	s := p.partial
	if s == nil || !p.isComplete() {
		return
	}
	p.partial = nil
	if s.window.Size() > 0 {
		p.keep().window = s.window
	}
}

// keep returns the memory for what is incomplete.
func (p *Parser) keep() *partial {
	if p.partial == nil {
		p.partial = newPartial()
	}
	return p.partial
}
