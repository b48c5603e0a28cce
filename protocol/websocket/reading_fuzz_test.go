package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

// heard is one thing that a client has said.
type heard struct {
	op   ws.OpCode
	data string
}

func (h heard) isMessage() bool { return h.op == ws.OpText || h.op == ws.OpBinary }

// reading is what a client's bytes mean, read the naive way: header by header
// and payload by payload, from a reader that has everything, with the rules as
// RFC 6455 has them.
type reading struct {
	in        []byte
	limit     int
	pastClose bool // reads on behind a close frame, as the parser alone does

	items []heard              // in order; a close frame only with pastClose
	end   protocol.CloseStatus // how the connection ends, if nobody ends it before
	reply protocol.CloseCode   // of our close frame; CloseNoStatus: an empty one, CloseAbnormal: there is none

	r    *bytes.Reader
	op   ws.OpCode // of the message that is incomplete
	body []byte
}

// errOver ends a reading that has been decided.
var errOver = errors.New("over")

// read fills in what the bytes mean. An error is about the reference itself.
func (f *reading) read() error {
	f.r = bytes.NewReader(f.in)
	f.end, f.reply = protocol.CloseStatus{Code: protocol.CloseAbnormal}, protocol.CloseAbnormal
	var err error
	for err == nil {
		err = f.frame()
	}
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// broken says that the client has broken a rule.
func (f *reading) broken(code protocol.CloseCode) error {
	f.end, f.reply = protocol.CloseStatus{Code: code}, code
	return errOver
}

func (f *reading) frame() error {
	if f.badLength() {
		return f.broken(protocol.CloseProtocolError)
	}
	h, err := ws.ReadHeader(f.r)
	if err != nil {
		return errOver // in the middle of a header
	}
	state := ws.StateServerSide
	if f.op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	bad := f.badHeader(h)
	if theirs := ws.CheckHeader(h, state); (theirs != nil) != bad {
		return fmt.Errorf("the references differ about %+v: gobwas says %w", h, theirs)
	}
	switch {
	case bad:
		return f.broken(protocol.CloseProtocolError)
	case h.OpCode < 8 && h.Length > int64(f.limit-len(f.body)):
		return f.broken(protocol.CloseMessageTooBig)
	}
	payload := make([]byte, min(h.Length, int64(f.r.Len())))
	if _, err := io.ReadFull(f.r, payload); err != nil {
		return err
	}
	for i := range payload {
		payload[i] ^= h.Mask[i%4]
	}
	whole := int64(len(payload)) == h.Length
	switch {
	case h.OpCode < 8:
		return f.data(h, payload, whole)
	case !whole:
		return errOver
	case h.OpCode == ws.OpClose && !f.pastClose:
		return f.closed(payload)
	}
	f.items = append(f.items, heard{h.OpCode, string(payload)})
	return nil
}

// badLength looks for a length that is not in its shortest form, or has the
// highest bit (section 5.2). It is refused as soon as it is there.
func (f *reading) badLength() bool {
	b := f.in[len(f.in)-f.r.Len():]
	switch {
	case len(b) >= 4 && b[1]&0x7f == 126:
		return binary.BigEndian.Uint16(b[2:]) < 126
	case len(b) >= 10 && b[1]&0x7f == 127:
		n := binary.BigEndian.Uint64(b[2:])
		return n < 1<<16 || n >= 1<<63
	}
	return false
}

// badHeader are the rules of sections 5.1 (masked), 5.2 (reserved bits and
// opcodes), 5.4 (fragments) and 5.5 (control frames).
func (f *reading) badHeader(h ws.Header) bool {
	if !h.Masked || h.Rsv != 0 {
		return true
	}
	switch h.OpCode {
	case 0:
		return f.op == 0
	case 1, 2:
		return f.op != 0
	case 8, 9, 10:
		return !h.Fin || h.Length > 125
	}
	return true
}

// data takes the payload of a data frame, or the part of it that has come.
func (f *reading) data(h ws.Header, payload []byte, whole bool) error {
	if h.OpCode != 0 {
		f.op = h.OpCode
	}
	f.body = append(f.body, payload...)
	complete := whole && h.Fin
	text := f.op == 1
	switch {
	case text && complete && !utf8.Valid(f.body), text && neverText(f.body):
		return f.broken(protocol.CloseInvalidPayload)
	case !whole:
		return errOver
	case complete:
		f.items = append(f.items, heard{f.op, string(f.body)})
		f.op, f.body = 0, nil
	}
	return nil
}

// neverText reports whether nothing that follows makes b UTF-8: it is not text
// with an incomplete rune behind it.
func neverText(b []byte) bool {
	for n := range min(utf8.UTFMax, len(b)+1) {
		text, rest := b[:len(b)-n], b[len(b)-n:]
		if utf8.Valid(text) && (n == 0 || !utf8.FullRune(rest)) {
			return false
		}
	}
	return true
}

// closed is the client's close frame (sections 5.5.1, 7.1.5, 7.4 and 8.1).
func (f *reading) closed(payload []byte) error {
	switch {
	case len(payload) == 0:
		f.end, f.reply = protocol.CloseStatus{Code: 1005, Remote: true}, 1005
		return errOver
	case len(payload) == 1:
		return f.broken(protocol.CloseProtocolError)
	}
	code, reason := uint16(payload[0])<<8|uint16(payload[1]), string(payload[2:])
	switch {
	case !mayClose(code):
		return f.broken(protocol.CloseProtocolError)
	case !utf8.ValidString(reason):
		return f.broken(protocol.CloseInvalidPayload)
	}
	f.end = protocol.CloseStatus{Code: protocol.CloseCode(code), Reason: reason, Remote: true}
	f.reply = f.end.Code
	if code == 1010 { // only clients send it
		f.reply = protocol.CloseNoStatus
	}
	return errOver
}

// brokenText is text that can be refused before its message is complete, and
// text that cannot.
func brokenText() (streams [][]byte) {
	ping := framed(fin|9, "behind")
	for _, bad := range []string{"a\xff", "\xc0", "\xed\xa0", "\xe0\x80", "\xf4\x90", "\xf0\x8f", "\xf5", "世\xe4\xb8\x40", "世\xe4\xb8", "\xf0\x9d\x84", "世"} {
		whole := framed(fin|1, bad+strings.Repeat("a", 200))
		split := stream(framed(1, bad[:len(bad)-1]), framed(0, bad[len(bad)-1:]), ping)
		streams = append(streams, stream(framed(1, bad), ping), split, whole[:8+len(bad)], whole[:8+len(bad)-1], whole)
	}
	return streams
}
