package websocket_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

const (
	deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
	rsv1         = websockettest.RSV1
)

// message is one message that a deflatePeer has read.
type message struct {
	op         byte
	data       string
	compressed bool
}

// deflatePeer is a client that compresses with package compress/flate, which shares no code
// with the server.
type deflatePeer struct {
	*peer

	answer           string // "": nothing was agreed on
	serverTakeover   bool
	clientTakeover   bool
	serverBits       int
	clientBits       int
	sentWindow, seen []byte // what the last messages were
}

// openDeflate is server.open for a peer that offers compression.
func (s *server) openDeflate(tb testing.TB, offer string) *deflatePeer {
	tb.Helper()
	p := &deflatePeer{peer: s.open(tb, offer)}
	p.readParameters()
	return p
}

// readParameters reads what was agreed on.
func (p *deflatePeer) readParameters() {
	p.answer = strings.Join(p.Answer.Header.Values("Sec-Websocket-Extensions"), "|")
	p.serverTakeover = !strings.Contains(p.answer, "server_no_context_takeover")
	p.clientTakeover = !strings.Contains(p.answer, "client_no_context_takeover")
	p.serverBits, p.clientBits = p.bits("server_max_window_bits="), p.bits("client_max_window_bits=")
}

func (p *deflatePeer) bits(name string) int {
	_, after, ok := strings.Cut(p.answer, name)
	if !ok {
		return 15
	}
	value, _, _ := strings.Cut(after, ";")
	n, err := strconv.Atoi(value)
	if err != nil {
		p.tb.Fatalf("the answer is %q", p.answer)
	}
	return n
}

// deflated returns data compressed, as the next message.
func (p *deflatePeer) deflated(data string) string {
	window := p.sentWindow
	if size := 1 << p.clientBits; len(window)+len(data) > size && p.clientBits < 15 {
		window = nil // compress/flate has no smaller window
	}
	if !p.clientTakeover {
		window = nil
	}
	p.sentWindow = lastBytes(append(p.sentWindow, data...), 1<<p.clientBits)
	return deflateBehind(window, data)
}

// deflateBehind returns data compressed, which may refer to window.
func deflateBehind(window []byte, data string) string {
	w := flateWriters.Get().(*flate.Writer)
	defer flateWriters.Put(w)
	var b bytes.Buffer
	w.Reset(&b)
	_, _ = w.Write(window)
	_ = w.Flush()
	before := b.Len()
	_, _ = w.Write([]byte(data))
	_ = w.Flush()
	return strings.TrimSuffix(b.String()[before:], "\x00\x00\xff\xff")
}

// A writer takes most of a megabyte, and a reader 40 KiB: making them took most of the time
// of FuzzCompressedConversation.
var (
	flateWriters = sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			panic(err)
		}
		return w
	}}
	flateReaders = sync.Pool{New: func() any { return flate.NewReader(nil) }}
)

func lastBytes(b []byte, n int) []byte { return bytes.Clone(b[max(len(b)-n, 0):]) }

// readMessage waits for the next message, which is in one frame. It skips pongs.
func (p *deflatePeer) readMessage() message {
	p.tb.Helper()
	for {
		first, payload, err := readRaw(p.In)
		if err != nil {
			p.tb.Fatalf("reading a message: %v", err)
		}
		switch first {
		case finPong:
		case finText, finBinary:
			return message{op: first &^ websockettest.FIN, data: string(payload)}
		case finText | rsv1, finBinary | rsv1:
			return message{op: first &^ (websockettest.FIN | rsv1), data: p.inflated(payload), compressed: true}
		default:
			p.tb.Fatalf("got a frame that begins with %#x: %q", first, payload)
		}
	}
}

// inflated returns what payload is, as the next message.
func (p *deflatePeer) inflated(payload []byte) string {
	p.tb.Helper()
	window := p.seen
	if !p.serverTakeover {
		window = nil
	}
	r := flateReaders.Get().(io.Reader)
	defer flateReaders.Put(r)
	in := bytes.NewReader(append(payload, "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	if err := r.(flate.Resetter).Reset(in, window); err != nil {
		p.tb.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		p.tb.Fatalf("inflating %q: %v", payload, err)
	}
	p.seen = lastBytes(append(p.seen, data...), 1<<p.serverBits)
	return string(data)
}

// want waits for the next message, which must be this one.
func (p *deflatePeer) want(op byte, data string, compressed bool) {
	p.tb.Helper()
	m := p.readMessage()
	if m.op != op || m.data != data || m.compressed != compressed {
		p.tb.Fatalf("got opcode %d, compressed: %v, %.80q (%d bytes), want %d, %v, %.80q (%d bytes)",
			m.op, m.compressed, m.data, len(m.data), op, compressed, data, len(data))
	}
	if op == text && !utf8.ValidString(m.data) {
		p.tb.Fatalf("text is not UTF-8: %q", m.data)
	}
}

// readRaw reads a frame of a server, and checks nothing.
func readRaw(r io.Reader) (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err = io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(r, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(r, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

// eachEngine runs f with both ways to run a connection.
func eachEngine(t *testing.T, f func(t *testing.T, e websocket.Engine)) {
	t.Helper()
	for _, e := range []websocket.Engine{websocket.EngineAuto, websocket.EngineGoroutine} {
		t.Run(e.String(), func(t *testing.T) { t.Parallel(); f(t, e) })
	}
}
