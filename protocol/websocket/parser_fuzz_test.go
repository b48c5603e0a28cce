package websocket

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

// reference reads a stream as gobwas does: header by header and payload by
// payload, from a reader that has everything.
type reference struct {
	in    []byte
	r     *bytes.Reader
	limit int
	op    ws.OpCode
	body  []byte
	items []string
}

// read returns the close that the stream causes, 0 if it only ends.
func (f *reference) read() protocol.CloseCode {
	f.r = bytes.NewReader(f.in)
	for {
		if code := f.lengths(); code != 0 {
			return code
		}
		h, err := ws.ReadHeader(f.r)
		if err != nil {
			return 0
		}
		if code, ended := f.frame(h); code != 0 || ended {
			return code
		}
	}
}

// lengths is where Wye is stricter than gobwas, and refuses earlier: lengths
// that are not in their shortest form, or have the highest bit.
func (f *reference) lengths() protocol.CloseCode {
	b := f.in[len(f.in)-f.r.Len():]
	switch {
	case len(b) >= 4 && b[1]&bitsLen == 126 && binary.BigEndian.Uint16(b[2:]) < 126:
		return protocol.CloseProtocolError
	case len(b) >= 10 && b[1]&bitsLen == 127 && binary.BigEndian.Uint64(b[2:]) < 1<<16:
		return protocol.CloseProtocolError
	case len(b) >= 10 && b[1]&bitsLen == 127 && b[2] >= 0x80:
		return protocol.CloseProtocolError
	}
	return 0
}

func (f *reference) frame(h ws.Header) (code protocol.CloseCode, ended bool) {
	state := ws.StateServerSide
	if f.op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	if ws.CheckHeader(h, state) != nil {
		return protocol.CloseProtocolError, true
	}
	if h.OpCode.IsData() && h.Length > int64(f.limit-len(f.body)) {
		return protocol.CloseMessageTooBig, true
	}
	if h.Length > int64(f.r.Len()) {
		return 0, true
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(f.r, payload); err != nil {
		return 0, true
	}
	ws.Cipher(payload, h.Mask, 0)
	if h.OpCode.IsControl() {
		f.items = append(f.items, said(h.OpCode, string(payload)))
		return 0, false
	}
	if h.OpCode != ws.OpContinuation {
		f.op = h.OpCode
	}
	f.body = append(f.body, payload...)
	if !h.Fin {
		return 0, false
	}
	if f.op == ws.OpText && !utf8.Valid(f.body) {
		return protocol.CloseInvalidPayload, true
	}
	f.items = append(f.items, said(f.op, string(f.body)))
	f.op, f.body = 0, nil
	return 0, false
}

// pieces cuts in: each byte of cuts is the size of a piece, and they repeat.
func pieces(in, cuts []byte) (out [][]byte) {
	for i := 0; len(in) > 0 && len(cuts) > 0; i++ {
		n := min(len(in), int(cuts[i%len(cuts)])+1)
		out = append(out, in[:n])
		in = in[n:]
	}
	return append(out, in)
}

// FuzzParser compares the parser with gobwas on the same bytes, and with itself
// on the same bytes in other pieces.
func FuzzParser(f *testing.F) {
	for i, row := range slices.Concat(headerRows(), controlRows(), fragmentRows(), limitRows(), textRows()) {
		f.Add(row.in, []byte{byte(i), 2, 0}, uint16(row.limit))
	}
	long := strings.Repeat("a", 70000)
	f.Add(stream(framed(1, long[:300]), framed(fin|9, ""), framed(fin, long[:126])), []byte{254, 1}, uint16(limS))
	f.Add(framed(fin|2, long), []byte{255}, uint16(65535))
	f.Add(headed(fin|2, length64(1<<63-1), ""), []byte{9}, uint16(1))
	f.Fuzz(func(t *testing.T, in, cuts []byte, limit uint16) {
		want := reference{in: in, limit: int(limit)}
		wantCode := want.read()
		items, code := feedAll(int(limit), in)
		if !slices.Equal(items, want.items) || code != wantCode {
			t.Fatalf("whole: got %q and %d, gobwas reads %q and %d", items, code, want.items, wantCode)
		}
		items, code = feedAll(int(limit), pieces(in, cuts)...)
		if !slices.Equal(items, want.items) || code != wantCode {
			t.Fatalf("in pieces: got %q and %d, want %q and %d", items, code, want.items, wantCode)
		}
	})
}

// mayClose are the codes that a client may close with, as the RFC and the
// registry of IANA say.
func mayClose(code uint16) bool {
	allowed := []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
	return slices.Contains(allowed, code) || code >= 3000 && code <= 4999
}

func FuzzParseClose(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{3})
	for _, code := range []uint16{0, 999, 1000, 1004, 1005, 1006, 1010, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535} {
		f.Add(binary.BigEndian.AppendUint16(nil, code))
		f.Add(append(binary.BigEndian.AppendUint16(nil, code), "bye 世界"...))
	}
	f.Add([]byte("\x03\xe8\xff"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := parseClose(payload)
		want, refused := closeOf(payload)
		switch {
		case refused != 0:
			if err == nil || codeOf(err) != refused {
				t.Fatalf("%x: got %+v, %v, want a refusal with %d", payload, got, err, refused)
			}
		case err != nil || got != want:
			t.Fatalf("%x: got %+v, %v, want %+v", payload, got, err, want)
		case got.Code.Sendable() && len(payload) <= ws.MaxControlFramePayloadSize:
			if back := appendClose(nil, got); !bytes.Equal(back[2:], payload) || int(back[1]) != len(payload) {
				t.Fatalf("%x goes back as %x", payload, back)
			}
		}
	})
}

// closeOf is parseClose as the RFC has it, on gobwas' reading. refused is the
// close that a bad payload causes.
func closeOf(payload []byte) (s protocol.CloseStatus, refused protocol.CloseCode) {
	code, reason := ws.ParseCloseFrameData(payload)
	switch {
	case len(payload) == 0:
		return protocol.CloseStatus{Code: protocol.CloseNoStatus, Remote: true}, 0
	case len(payload) == 1 || !mayClose(uint16(code)):
		return s, protocol.CloseProtocolError
	case !utf8.ValidString(reason):
		return s, protocol.CloseInvalidPayload
	}
	return protocol.CloseStatus{Code: protocol.CloseCode(code), Reason: reason, Remote: true}, 0
}
