package websocket_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// patience is how long a peer waits for what has to come. It is a failure's
// time, not a test's.
const patience = 30 * time.Second

const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAnswer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// The first bytes of frames: FIN and opcode.
const (
	finCont   = 0x80
	finText   = 0x81
	finBinary = 0x82
	finClose  = 0x88
	finPing   = 0x89
	finPong   = 0x8a
	cont      = 0x00
	text      = 0x01
	binaryOp  = 0x02
)

// frame is a client's frame. first is its first byte; the length is in its
// shortest form.
func frame(first byte, payload string) []byte {
	h := ws.Header{
		Fin: first&0x80 != 0, Rsv: first & 0x70 >> 4, OpCode: ws.OpCode(first & 0x0f),
		Masked: true, Mask: [4]byte{0x37, 0xfa, 0x21, 0x3d}, Length: int64(len(payload)),
	}
	var b bytes.Buffer
	_ = ws.WriteHeader(&b, h)
	body := []byte(payload)
	ws.Cipher(body, h.Mask, 0)
	b.Write(body)
	return b.Bytes()
}

// closing is a client's close frame with a code.
func closing(code uint16, reason string) []byte {
	return frame(finClose, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// request is a good handshake for path, with more header lines.
func request(path string, lines ...string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n", path, sampleKey, headerLines(lines))
}

func headerLines(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	return b.String()
}

// answer is a server's answer to a handshake.
type answer struct {
	status int
	header http.Header
	body   string
	raw    string // status line and headers as they came
}

// peer is a client that says what it is told to, also what no proper client
// would say.
type peer struct {
	tb testing.TB
	nc net.Conn
	br *bufio.Reader
}

func newPeer(tb testing.TB, nc net.Conn) *peer {
	tb.Helper()
	tb.Cleanup(func() { nc.Close() })
	return &peer{tb: tb, nc: nc, br: bufio.NewReaderSize(nc, 64<<10)}
}

// handshake asks and reads the answer.
func (p *peer) handshake(req string) answer {
	p.tb.Helper()
	p.write([]byte(req))
	return p.answer()
}

func (p *peer) answer() answer {
	p.tb.Helper()
	p.impatient()
	raw := p.head()
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), nil)
	if err != nil {
		p.tb.Fatalf("the answer %q is no answer: %v", raw, err)
	}
	defer resp.Body.Close()
	_, lines, _ := strings.Cut(raw, "\r\n")
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(lines))).ReadMIMEHeader() // ReadResponse removes Connection
	if err != nil {
		p.tb.Fatalf("the headers of %q: %v", raw, err)
	}
	a := answer{status: resp.StatusCode, header: http.Header(header), raw: raw}
	if n := max(resp.ContentLength, 0); n > 0 {
		body := make([]byte, n)
		if _, err := io.ReadFull(p.br, body); err != nil {
			p.tb.Fatalf("the body of answer %d: %v", a.status, err)
		}
		a.body = string(body)
	}
	return a
}

// head is status line and headers.
func (p *peer) head() string {
	p.tb.Helper()
	var raw strings.Builder
	for {
		line, err := p.br.ReadString('\n')
		raw.WriteString(line)
		if err != nil {
			p.tb.Fatalf("after %q of an answer: %v", raw.String(), err)
		}
		if line == "\r\n" {
			return raw.String()
		}
	}
}

// upgrade is a handshake that has to be accepted.
func (p *peer) upgrade(req string) answer {
	p.tb.Helper()
	a := p.handshake(req)
	if a.status != http.StatusSwitchingProtocols {
		p.tb.Fatalf("handshake: status %d %q, want 101", a.status, a.body)
	}
	return a
}

func (p *peer) impatient() { _ = p.nc.SetDeadline(time.Now().Add(patience)) }

// write says frames.
func (p *peer) write(frames ...[]byte) {
	p.tb.Helper()
	p.impatient()
	if _, err := p.nc.Write(bytes.Join(frames, nil)); err != nil {
		p.tb.Fatalf("write: %v", err)
	}
}

func (p *peer) text(s string) { p.tb.Helper(); p.write(frame(finText, s)) }
func (p *peer) ping(s string) { p.tb.Helper(); p.write(frame(finPing, s)) }

// received is a frame of the server.
type received struct {
	first   byte
	payload string
}

// read reads a frame. It fails where a server's frame is not as it must be.
func (p *peer) read() (received, error) {
	h, err := ws.ReadHeader(p.br)
	if err != nil {
		return received{}, err
	}
	if err := ws.CheckHeader(h, ws.StateClientSide); err != nil {
		return received{}, fmt.Errorf("header %+v: %w", h, err)
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(p.br, payload)
	first := byte(h.OpCode)
	if h.Fin {
		first |= 0x80
	}
	return received{first, string(payload)}, err
}

func (p *peer) next() received {
	p.tb.Helper()
	p.impatient()
	f, err := p.read()
	if err != nil {
		p.tb.Fatalf("read: %v", err)
	}
	return f
}

// want waits for the next frame, which must be this one.
func (p *peer) want(first byte, payload string) {
	p.tb.Helper()
	if got := p.next(); got.first != first || got.payload != payload {
		p.tb.Fatalf("got frame %#x %s, want %#x %s", got.first, brief(got.payload), first, brief(payload))
	}
}

// wantClose waits for a close frame. code 0 means that it has none.
func (p *peer) wantClose(code uint16, reason string) {
	p.tb.Helper()
	got := p.next()
	want := reason
	if code != 0 {
		want = string(binary.BigEndian.AppendUint16(nil, code)) + reason
	}
	if got.first != finClose || got.payload != want {
		p.tb.Fatalf("got frame %#x %q, want a close with %d %q", got.first, got.payload, code, reason)
	}
}

// wantCloseCode is wantClose for any reason.
func (p *peer) wantCloseCode(code uint16) {
	p.tb.Helper()
	got := p.next()
	if got.first != finClose || len(got.payload) < 2 || binary.BigEndian.Uint16([]byte(got.payload)) != code {
		p.tb.Fatalf("got frame %#x %s, want a close with %d", got.first, brief(got.payload), code)
	}
}

// wantEnd waits for the orderly end of the server's stream.
func (p *peer) wantEnd() {
	p.tb.Helper()
	p.impatient()
	if f, err := p.read(); !errors.Is(err, io.EOF) {
		p.tb.Fatalf("got frame %#x %s and %v, want the end of the stream", f.first, brief(f.payload), err)
	}
}

// closes says goodbye, waits until the server has, too, and hangs up.
func (p *peer) closes() {
	p.tb.Helper()
	p.write(closing(1000, ""))
	p.wantClose(1000, "")
	p.wantEnd()
	p.nc.Close()
}

// brief is a payload for a failure's text.
func brief(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q... (%d bytes)", s[:80], len(s))
	}
	return fmt.Sprintf("%q", s)
}
