package frametest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

// Reference reads the bytes of a client the naive way: header by header and payload by
// payload, from a reader that has all of them, with the rules as RFC 6455 has them.
type Reference struct {
	In         []byte
	MaxMessage int
	PastClose  bool // read on behind a close frame, as the parser alone does

	Items []Item               // in order; a close frame only with PastClose
	End   protocol.CloseStatus // how the connection ends, if nothing ends it before
	Reply protocol.CloseCode   // of our close frame; CloseNoStatus: an empty one, CloseAbnormal: none

	r    *bytes.Reader
	op   ws.OpCode // of the message that is incomplete
	body []byte
}

// errEnded ends the reading: End is decided.
var errEnded = errors.New("ended")

// Read sets Items, End and Reply. An error means that the reference itself is wrong.
func (f *Reference) Read() error {
	f.r = bytes.NewReader(f.In)
	f.End, f.Reply = protocol.CloseStatus{Code: protocol.CloseAbnormal}, protocol.CloseAbnormal
	var err error
	for err == nil {
		err = f.frame()
	}
	if errors.Is(err, errEnded) {
		return nil
	}
	return err
}

// ReadClose sets End and Reply to what the payload of a client's close frame means.
func (f *Reference) ReadClose(payload []byte) { _ = f.readClose(payload) } //nolint:errcheck // errEnded, always

// violated ends the reading because the client has violated a rule.
func (f *Reference) violated(code protocol.CloseCode) error {
	f.End, f.Reply = protocol.CloseStatus{Code: code}, code
	return errEnded
}

func (f *Reference) frame() error {
	if f.badLength() {
		return f.violated(protocol.CloseProtocolError)
	}
	h, err := ws.ReadHeader(f.r)
	if err != nil {
		return errEnded // in the middle of a header
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
		return f.violated(protocol.CloseProtocolError)
	case h.OpCode < 8 && h.Length > int64(f.MaxMessage-len(f.body)):
		return f.violated(protocol.CloseMessageTooBig)
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
		return errEnded
	case h.OpCode == ws.OpClose && !f.PastClose:
		return f.readClose(payload)
	}
	f.Items = append(f.Items, Item{h.OpCode, string(payload)})
	return nil
}

// badLength reports whether the next length is not in its shortest form, or has the
// highest bit set (section 5.2). It is refused as soon as it has come.
func (f *Reference) badLength() bool {
	b := f.In[len(f.In)-f.r.Len():]
	switch {
	case len(b) >= 4 && b[1]&0x7f == 126:
		return binary.BigEndian.Uint16(b[2:]) < 126
	case len(b) >= 10 && b[1]&0x7f == 127:
		n := binary.BigEndian.Uint64(b[2:])
		return n < 1<<16 || n >= 1<<63
	}
	return false
}

// badHeader has the rules of sections 5.1 (masked), 5.2 (reserved bits and opcodes),
// 5.4 (fragments) and 5.5 (control frames).
func (f *Reference) badHeader(h ws.Header) bool {
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

// data reads the payload of a data frame, or the part of it that has come.
func (f *Reference) data(h ws.Header, payload []byte, whole bool) error {
	if h.OpCode != 0 {
		f.op = h.OpCode
	}
	f.body = append(f.body, payload...)
	complete := whole && h.Fin
	text := f.op == 1
	switch {
	case text && complete && !utf8.Valid(f.body), text && neverText(f.body):
		return f.violated(protocol.CloseInvalidPayload)
	case !whole:
		return errEnded
	case complete:
		f.Items = append(f.Items, Item{f.op, string(f.body)})
		f.op, f.body = 0, nil
	}
	return nil
}

// neverText reports whether no continuation makes b valid UTF-8: it is not text with an
// incomplete rune behind it.
func neverText(b []byte) bool {
	for n := range min(utf8.UTFMax, len(b)+1) {
		text, rest := b[:len(b)-n], b[len(b)-n:]
		if utf8.Valid(text) && (n == 0 || !utf8.FullRune(rest)) {
			return false
		}
	}
	return true
}

// readClose reads a close frame (sections 5.5.1, 7.1.5, 7.4 and 8.1).
func (f *Reference) readClose(payload []byte) error {
	switch {
	case len(payload) == 0:
		f.End, f.Reply = protocol.CloseStatus{Code: 1005, Remote: true}, 1005
		return errEnded
	case len(payload) == 1:
		return f.violated(protocol.CloseProtocolError)
	}
	code, reason := uint16(payload[0])<<8|uint16(payload[1]), string(payload[2:])
	switch {
	case !MayClose(code):
		return f.violated(protocol.CloseProtocolError)
	case !utf8.ValidString(reason):
		return f.violated(protocol.CloseInvalidPayload)
	}
	f.End = protocol.CloseStatus{Code: protocol.CloseCode(code), Reason: reason, Remote: true}
	f.Reply = f.End.Code
	if code == 1010 { // only clients send it
		f.Reply = protocol.CloseNoStatus
	}
	return errEnded
}

// MayClose reports whether a client may close with code, as the RFC and the
// registry of IANA say.
func MayClose(code uint16) bool {
	allowed := []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
	return slices.Contains(allowed, code) || code >= 3000 && code <= 4999
}
