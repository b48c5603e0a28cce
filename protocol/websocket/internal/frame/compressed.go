package frame

import (
	"errors"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/utf8scan"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/deflate"
)

var errCorrupt = protocol.NewCloseError(protocol.CloseInvalidPayload, "compressed data is invalid")

const (
	// maxPiece is how much is inflated at once. It becomes at most about a thousand times
	// as large.
	maxPiece = 128
	// maxCost is after how much work Next returns, so that its caller can turn to other
	// connections: about 0.2 ms.
	maxCost = 64 << 10
	// maxExtra is how many bytes more than MaxMessage a message may take while it is
	// inflated.
	maxExtra = 64 << 10
	// tableCost is the cost of a dynamic block, however little is in it.
	tableCost = 1 << 10
)

// Work is what a parser has inflated.
type Work struct {
	Wire     int // bytes of compressed messages, as they came
	Inflated int // bytes that they became
}

// TakeWork returns what was inflated since the last call. long reports whether that took
// long. Then the caller should turn to other connections.
func (p *Parser) TakeWork() (w Work, long bool) {
	s := p.partial
	if s == nil || s.cost == 0 {
		return Work{}, false
	}
	w, long = s.work, s.cost >= maxCost
	s.work, s.cost = Work{}, 0
	return w, long
}

// WindowSize returns the size of the memory that the parser holds for the peer's context
// takeover.
func (p *Parser) WindowSize() int {
	if p.partial == nil {
		return 0
	}
	return p.partial.window.Size()
}

// startsCompressed reports whether a frame is the first one of a message that may be, and is,
// compressed.
func (p *Parser) startsCompressed(h *header) bool {
	return h.first&bitsRsv == bitRsv1 && p.rules.inflate.On && !p.inMessage() && !h.isControl()
}

// isCompressed reports whether a data frame belongs to a compressed message.
func (p *Parser) isCompressed(h *header) bool {
	if p.inMessage() {
		return p.partial.compressed
	}
	return p.startsCompressed(h)
}

// readCompressed is readPayload for a frame of a compressed message. What has come is
// inflated piece by piece. If that takes long, some of b is left, and the frame is incomplete.
func (p *Parser) readCompressed(b []byte) (it Item, rest []byte, ok bool, err error) {
	s := p.partial
	for rest = b; s.missing > 0; {
		if len(rest) == 0 || s.cost >= maxCost {
			return Item{}, rest, false, nil
		}
		n := min(s.missing, len(rest), maxPiece)
		if p.rules.discards() {
			n = min(s.missing, len(rest))
		}
		part := rest[:n:n]
		rest = rest[n:]
		s.missing -= n
		s.wire += n
		if p.rules.discards() {
			continue
		}
		unmask(part, s.frame.mask)
		s.frame.mask = rotateMask(s.frame.mask, n)
		if err = s.inflate(part, p.rules); err != nil {
			return Item{}, nil, false, err
		}
	}
	if s.inFrame = false; !s.frame.fin() {
		return Item{}, rest, false, nil
	}
	it.OpCode = s.op
	if !p.rules.discards() {
		if err = s.inflate(nil, p.rules); err != nil {
			return Item{}, nil, false, err
		}
		it.Data = s.body.B
		if p.rules.inflate.Window > 0 {
			s.window.Add(it.Data, p.rules.inflate.Window)
		}
		s.releaseInflater()
	}
	err = p.endMessage()
	return it, rest, err == nil, err
}

// inflate inflates the next part of the message, or, if part is nil, its end. Text fails as
// soon as what is inflated is not UTF-8.
func (s *partial) inflate(part []byte, r *Rules) (err error) {
	if s.body == nil {
		s.body = bytespool.GetAtMost(min(r.maxMessage, maxExtra) + maxExtra - deflate.InflaterSize)
	}
	if s.inflater == nil {
		s.inflater, s.tables = deflate.NewInflater(), 0
	}
	before := len(s.body.B)
	if part == nil {
		s.body.B, err = s.inflater.Finish(s.body.B, s.window.Bytes(), r.maxMessage)
	} else {
		s.body.B, err = s.inflater.Inflate(s.body.B, part, s.window.Bytes(), r.maxMessage)
	}
	inflated := s.body.B[before:]
	s.countWork(len(part), len(inflated))
	if s.op == ws.OpText { // first, so that the pieces in which the frames come do not matter
		if s.text = s.text.Read(inflated); s.text == utf8scan.Bad {
			return errNotUTF8
		}
	}
	switch most := r.inflate.MaxRatio; {
	case errors.Is(err, deflate.ErrTooBig), most > 0 && len(s.body.B) > freeInflated && len(s.body.B)/most > s.wire:
		return ErrTooBig
	case err != nil:
		return errCorrupt
	}
	return nil
}

func (s *partial) countWork(wire, inflated int) {
	s.work.Wire += wire
	s.work.Inflated += inflated
	tables := s.inflater.Tables()
	s.cost += 1 + wire + inflated + (tables-s.tables)*tableCost
	s.tables = tables
}

func (s *partial) releaseInflater() {
	if s.inflater != nil {
		s.inflater.Release()
		s.inflater = nil
	}
}
