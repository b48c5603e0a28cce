package frame

import (
	"slices"
	"sync"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/utf8scan"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
)

// partial is what a parser keeps of a header, a frame or a message that is incomplete.
// It also holds the data of the last item, until the parser's ReleaseBuffer.
type partial struct {
	compression

	header    [ws.MaxHeaderSize]byte // that is incomplete
	headerLen uint8

	controlLen uint8
	control    [ws.MaxControlFramePayloadSize]byte // payload of a control frame so far

	inFrame bool
	frame   header // the frame whose payload is incomplete; its mask is that of the next byte
	missing int    // bytes of that payload

	op     ws.OpCode         // of the incomplete message, or 0
	text   utf8scan.State    // of the incomplete message so far, if it is text
	body   *bytespool.Buffer // its payload so far, unmasked; nil if nothing had to be kept
	frames int               // of it so far
}

// compression is what a partial keeps for messages that are compressed.
type compression struct {
	compressed bool              // the incomplete message is
	inflater   *deflate.Inflater // of that message, unless it is dropped
	wire       int               // bytes of it so far, as they came
	work       Work              // since TakeWork
	tables     int               // of work.cost, that are counted
	cost       int               // of what was inflated since TakeWork, in bytes
	window     deflate.Window    // of the messages before
}

var partials = sync.Pool{New: func() any { return new(partial) }}

func newPartial() *partial { return partials.Get().(*partial) } //nolint:errcheck,forcetypeassert // the pool holds nothing else

// release recycles s, in which nothing is incomplete.
func (s *partial) release() {
	s.compression = compression{}
	partials.Put(s)
}

// readHeader is Parser.readHeader.
func (s *partial) readHeader(b []byte) (h header, rest []byte, ok bool, err error) {
	n := copy(s.header[s.headerLen:], b)
	h, size, err := parseHeader(s.header[:int(s.headerLen)+n])
	if size == 0 && err == nil {
		s.headerLen += uint8(n) //nolint:gosec // the header is short
		return h, nil, false, nil
	}
	rest = b[max(size-int(s.headerLen), 0):]
	s.headerLen = 0
	return h, rest, err == nil, err
}

// unmask unmasks the next part of the payload. It reports whether the message may be
// valid: if it is text, what has come of it is UTF-8.
func (s *partial) unmask(part []byte) bool {
	ascii := unmask(part, s.frame.mask)
	s.frame.mask = rotateMask(s.frame.mask, len(part))
	if s.op != ws.OpText || s.frame.isControl() || ascii && s.text == utf8scan.Good {
		return true
	}
	s.text = s.text.Read(part)
	return s.text != utf8scan.Bad
}

// startMessage starts a message, which is incomplete. compressed is set for one that is to be
// inflated, or dropped.
func (s *partial) startMessage(op ws.OpCode, compressed bool) {
	s.op, s.text, s.frames = op, utf8scan.Good, 1
	s.compressed, s.wire = compressed, 0
	if s.body != nil {
		s.body.B = s.body.B[:0] // it was lent with the last message
	}
}

// appendControl appends part to the payload of the control frame, and returns it.
func (s *partial) appendControl(part []byte) []byte {
	s.controlLen += uint8(copy(s.control[s.controlLen:], part)) //nolint:gosec // at most 125
	return s.control[:s.controlLen]
}

// maxReserve bounds the memory that is reserved for a frame before its payload comes:
// its header may announce any length.
const maxReserve = 4 << 10

// append appends part to the incomplete message, and returns all of it.
func (s *partial) append(part []byte) []byte {
	if s.body == nil {
		s.body = bytespool.Get()
	}
	if len(s.body.B) == 0 {
		s.body.B = slices.Grow(s.body.B, int(min(s.frame.length, maxReserve)))
	}
	s.body.B = append(s.body.B, part...)
	return s.body.B
}

func (s *partial) releaseBody() {
	if s.body != nil {
		s.body.Release()
		s.body = nil
	}
}
