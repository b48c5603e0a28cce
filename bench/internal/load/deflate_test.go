//go:build linux

package load

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"

	"github.com/wye-go/wye/bench/internal/frame"
)

// TestMoldCompressed inflates the frames of a mold, as a server does.
func TestMoldCompressed(t *testing.T) {
	for _, size := range []int{16, 17, 512, 1 << 10, 16 << 10} {
		m := newMold(size, 3, JSON, false)
		if err := m.compress(); err != nil {
			t.Fatal(err)
		}
		wire, z := 0, new(inflater)
		for seq := range uint32(3 * jsonShapes) {
			b := m.make(4711, seq, 1)
			h, ok, err := frame.Parse(b)
			if !ok || err != nil || !h.Masked || h.First != deflated || h.Size() != len(b) {
				t.Fatalf("header %+v %v %v", h, ok, err)
			}
			payload := bytes.Clone(b[h.Len:])
			ws.Cipher(payload, h.Mask, 0)
			got, err := z.inflate(payload, nil)
			if err == nil {
				err = m.check(got, 4711, seq)
			}
			if err != nil {
				t.Fatalf("size %d, message %d: %v", size, seq, err)
			}
			wire += len(b)
		}
		if size >= 512 && wire*10 > 3*jsonShapes*size*7 {
			t.Errorf("messages of %d bytes were %d on the wire in all", size, wire)
		}
	}
}

// TestInflaterRefersBack inflates messages that refer to those before, beside others of the
// same bytes.
func TestInflaterRefersBack(t *testing.T) {
	z := new(inflater)
	for _, word := range []string{"hello, ", "how are you? "} {
		var seen []byte
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, 6)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10_000 {
			message := strings.Repeat(word, 1+i%7)
			b.Reset()
			_, _ = w.Write([]byte(message))
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			got, err := z.inflate(bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")), seen)
			if err != nil || string(got) != message {
				t.Fatalf("message %d: got %q, %v, want %q", i, got, err, message)
			}
			seen = remember(seen, got)
		}
	}
}

func TestDeflates(t *testing.T) {
	const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	for _, test := range []struct {
		field    string
		takeover bool
		ok       bool
	}{
		{"", false, false},
		{"Sec-WebSocket-Extensions: x-other", false, false},
		{"sec-websocket-extensions: permessage-deflate", true, true},
		{"Sec-WebSocket-Extensions:permessage-deflate; client_no_context_takeover; server_no_context_takeover", false, true},
	} {
		takeover, err := deflates(head + test.field)
		if takeover != test.takeover || (err == nil) != test.ok {
			t.Errorf("%q: got %v, %v", test.field, takeover, err)
		}
	}
}

// TestPartsOfMessages has a server send a compressed message in several frames.
func TestPartsOfMessages(t *testing.T) {
	m := newMold(2000, 1, JSON, false)
	if err := m.compress(); err != nil {
		t.Fatal(err)
	}
	b := m.make(1, 0, 1)
	h, _, err := frame.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	payload := bytes.Clone(b[h.Len:])
	ws.Cipher(payload, h.Mask, 0)
	cl, c := &client{z: new(inflater)}, new(conn)
	for i, part := range []struct {
		first byte
		data  []byte
		done  bool
	}{{rsv1 | frame.OpText, payload[:100], false}, {0, payload[100:200], false}, {frame.Fin, payload[200:], true}, {deflated, payload, true}} {
		in, _, err := splitFrame(append(frame.AppendHeader(nil, part.first, len(part.data), nil), part.data...))
		if err != nil {
			t.Fatal(err)
		}
		got, err := cl.inflate(c, in)
		if err != nil || (got != nil) != part.done || part.done && m.check(got, 1, 0) != nil {
			t.Fatalf("part %d: got %d bytes, %v", i, len(got), err)
		}
	}
	if _, err := cl.inflate(c, incoming{part: lastPart}); err == nil {
		t.Error("the end of no message was accepted")
	}
}
