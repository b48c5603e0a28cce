package matrix_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// patience is how long a peer waits for what has to come. It is a failure's
// time, not a test's.
const patience = 30 * time.Second

const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ==" // RFC 6455's
	sampleAnswer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// closing is the payload of a close frame.
func closing(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// frame is a client's frame, with FIN.
func frame(op ws.OpCode, payload string) []byte {
	h := ws.Header{Fin: true, OpCode: op, Masked: true, Mask: [4]byte{0x37, 0xfa, 0x21, 0x3d}, Length: int64(len(payload))}
	var b bytes.Buffer
	_ = ws.WriteHeader(&b, h)
	body := []byte(payload)
	ws.Cipher(body, h.Mask, 0)
	b.Write(body)
	return b.Bytes()
}

// upgrade is the handshake of a browser that wants to, with more header lines.
func upgrade(host, path string, lines ...string) string {
	return get(host, path, append([]string{
		"Connection: keep-alive, Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + sampleKey,
	}, lines...)...)
}

// get is a plain request as browsers make it.
func get(host, path string, lines ...string) string {
	lines = append([]string{"GET " + path + " HTTP/1.1", "Host: " + host, "Accept-Encoding: gzip, deflate"}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// answer is what a server said to a request.
type answer struct {
	status int
	header http.Header
	body   string // decompressed
}

// peer is a client of which every byte is known.
type peer struct {
	tb testing.TB
	nc net.Conn
	br *bufio.Reader
}

// dial connects to addr of network.
func dial(tb testing.TB, network, addr string) *peer {
	tb.Helper()
	nc, err := (&net.Dialer{Timeout: patience}).DialContext(tb.Context(), network, addr)
	if err != nil {
		tb.Fatalf("dialing %s: %v", addr, err)
	}
	return newPeer(tb, nc)
}

func newPeer(tb testing.TB, nc net.Conn) *peer {
	tb.Helper()
	tb.Cleanup(func() { nc.Close() })
	return &peer{tb: tb, nc: nc, br: bufio.NewReaderSize(nc, 64<<10)}
}

func (p *peer) write(parts ...[]byte) {
	p.tb.Helper()
	_ = p.nc.SetDeadline(time.Now().Add(patience))
	if _, err := p.nc.Write(bytes.Join(parts, nil)); err != nil {
		p.tb.Fatalf("write: %v", err)
	}
}

// ask makes a request and reads the answer.
func (p *peer) ask(req string) answer {
	p.tb.Helper()
	p.write([]byte(req))
	return p.answer()
}

func (p *peer) answer() answer {
	p.tb.Helper()
	_ = p.nc.SetDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil {
		p.tb.Fatalf("the answer to the handshake: %v", err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.status == http.StatusSwitchingProtocols {
		return a
	}
	body := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			p.tb.Fatalf("the body of answer %d is not gzip as it says: %v", a.status, err)
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		p.tb.Fatalf("the body of answer %d, after %q: %v", a.status, b, err)
	}
	a.body = string(b)
	return a
}

// open is a handshake that has to be accepted.
func (p *peer) open(req string) answer {
	p.tb.Helper()
	a := p.ask(req)
	if a.status != http.StatusSwitchingProtocols {
		p.tb.Fatalf("handshake: status %d %q, want 101", a.status, a.body)
	}
	if got := a.header.Get("Sec-Websocket-Accept"); got != sampleAnswer {
		p.tb.Fatalf("Sec-WebSocket-Accept is %q, want %q", got, sampleAnswer)
	}
	return a
}

// say sends a message or control frame.
func (p *peer) say(op ws.OpCode, payload string) { p.tb.Helper(); p.write(frame(op, payload)) }

// read reads a frame, which must be as a server's has to be.
func (p *peer) read() (ws.OpCode, string, error) {
	h, err := ws.ReadHeader(p.br)
	if err != nil {
		return 0, "", err
	}
	if err := ws.CheckHeader(h, ws.StateClientSide); err != nil {
		return 0, "", fmt.Errorf("header %+v: %w", h, err)
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(p.br, payload)
	return h.OpCode, string(payload), err
}

// want waits for the next frame, which must be this one. Pings are answered.
func (p *peer) want(op ws.OpCode, payload string) {
	p.tb.Helper()
	if got := p.next(op); got != payload {
		p.tb.Fatalf("got %s, want %s", short(got), short(payload))
	}
}

// next waits for the next frame but pings, which must be of this kind.
func (p *peer) next(op ws.OpCode) string {
	p.tb.Helper()
	for {
		_ = p.nc.SetDeadline(time.Now().Add(patience))
		got, payload, err := p.read()
		switch {
		case err != nil:
			p.tb.Fatalf("waiting for a frame with opcode %#x: %v", op, err)
		case got == ws.OpPing && op != ws.OpPing:
			p.say(ws.OpPong, payload)
			continue
		case got != op:
			p.tb.Fatalf("got opcode %#x with %q, want %#x", got, short(payload), op)
		}
		return payload
	}
}

// echo sends a message and waits until it has come back.
func (p *peer) echo(op ws.OpCode, payload string) {
	p.tb.Helper()
	p.say(op, payload)
	p.want(op, payload)
}

// close closes, and waits for the answer and the end.
func (p *peer) close(code uint16, reason string) {
	p.tb.Helper()
	p.say(ws.OpClose, closing(code, reason))
	p.want(ws.OpClose, closing(code, ""))
	p.wantEnd()
}

// wantEnd waits until the server has hung up.
func (p *peer) wantEnd() {
	p.tb.Helper()
	if b, err := p.br.ReadByte(); !errors.Is(err, io.EOF) {
		p.tb.Fatalf("after the close: byte %#x and %v, want the end of the connection", b, err)
	}
}

// wantCut waits until the connection breaks, with nothing said before.
func (p *peer) wantCut() {
	p.tb.Helper()
	_ = p.nc.SetDeadline(time.Now().Add(patience))
	_, err := p.br.ReadByte()
	if ne, ok := errors.AsType[net.Error](err); err == nil || ok && ne.Timeout() {
		p.tb.Fatalf("got %v, want the end of the connection", err)
	}
}

func short(s string) string {
	const most = 100
	if len(s) > most {
		return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}
