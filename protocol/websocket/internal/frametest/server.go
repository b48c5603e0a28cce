package frametest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// ReadServerFrame reads the first frame of b, and checks it: a server sends whole frames
// in their shortest form, unmasked, and text that is UTF-8.
func ReadServerFrame(b []byte) (it Item, rest []byte, err error) {
	r := bytes.NewReader(b)
	h, err := ws.ReadHeader(r)
	if err != nil {
		return it, nil, fmt.Errorf("the server's bytes %x: %w", b, err)
	}
	var short bytes.Buffer
	if err := ws.WriteHeader(&short, h); err != nil || !bytes.HasPrefix(b, short.Bytes()) {
		return it, nil, fmt.Errorf("the server's header %x is not in its shortest form: %w", b[:len(b)-r.Len()], err)
	}
	payload := make([]byte, min(h.Length, int64(r.Len())))
	n := copy(payload, b[len(b)-r.Len():])
	it = Item{h.OpCode, string(payload)}
	control := h.OpCode == ws.OpClose || h.OpCode == ws.OpPong
	switch {
	case int64(n) != h.Length:
		return it, nil, fmt.Errorf("half a frame: %+v", h)
	case h.Masked, !h.Fin, h.Rsv != 0, !control && h.OpCode != ws.OpText && h.OpCode != ws.OpBinary, control && n > 125:
		return it, nil, fmt.Errorf("no frame for a server: %+v", h)
	case h.OpCode == ws.OpText && !utf8.Valid(payload):
		return it, nil, fmt.Errorf("text that is not UTF-8: %q", payload)
	}
	return it, b[len(b)-r.Len()+n:], nil
}

// CheckServerClose checks the payload of a server's close frame, and that it is the last one.
func CheckServerClose(payload string, rest []byte) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q behind a close frame", rest)
	case payload == "":
		return nil
	case len(payload) == 1 || !utf8.ValidString(payload[2:]):
		return fmt.Errorf("close frame with %q", payload)
	}
	if code := binary.BigEndian.Uint16([]byte(payload)); !MayClose(code) || code == 1010 {
		return fmt.Errorf("close frame with the code %d", code)
	}
	return nil
}

// ShortenReason returns what of a reason fits into a close frame, the naive way.
func ShortenReason(reason string) string {
	short := ""
	for _, r := range strings.ToValidUTF8(reason, "\uFFFD") {
		if len(short)+len(string(r)) > 123 {
			break
		}
		short += string(r)
	}
	return short
}
