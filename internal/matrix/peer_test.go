package matrix_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// patience is how long a test waits for what must come. It is a failure's time.
const patience = 30 * time.Second

// upgrade is the handshake of a browser, with more header lines.
func upgrade(host, path string, lines ...string) string {
	return websockettest.Request(path, append([]string{
		"Host: " + host, "Accept-Encoding: gzip, deflate", "Connection: keep-alive, Upgrade",
	}, lines...)...)
}

// get is a plain request as browsers make it.
func get(host, path string, lines ...string) string {
	lines = append([]string{"GET " + path + " HTTP/1.1", "Host: " + host, "Accept-Encoding: gzip, deflate"}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// peer is a client that answers pings.
type peer struct {
	*websockettest.Client

	tb testing.TB
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
	p := &peer{websockettest.New(tb, nc), tb}
	p.AnswerPings = true
	return p
}

// ask makes a request and returns the answer, decompressed.
func (p *peer) ask(request string) websockettest.Answer {
	p.tb.Helper()
	a := p.Handshake(request)
	if a.Header.Get("Content-Encoding") != "gzip" {
		return a
	}
	r, err := gzip.NewReader(strings.NewReader(a.Body))
	if err != nil {
		p.tb.Fatalf("the body of answer %d is not gzip as it says: %v", a.Status, err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		p.tb.Fatalf("the body of answer %d, after %q: %v", a.Status, b, err)
	}
	a.Body = string(b)
	return a
}

// echo sends a message and waits until it has come back.
func (p *peer) echo(message websockettest.Frame) {
	p.tb.Helper()
	p.Send(message)
	p.Want(message)
}

// close closes, and waits for the answer, which has no reason, and the end.
func (p *peer) close(code protocol.CloseCode, reason string) {
	p.tb.Helper()
	if answer := p.Close(code, reason); answer != "" {
		p.tb.Fatalf("the close is answered with reason %q", answer)
	}
}

// wantClosed waits until the server closes with code and reason, and for the end.
func (p *peer) wantClosed(code protocol.CloseCode, reason string) {
	p.tb.Helper()
	if got := p.WantClosed(code); got != reason {
		p.tb.Fatalf("closed with reason %q, want %q", got, reason)
	}
}

// wantCut waits until the connection breaks, with nothing sent before.
func (p *peer) wantCut() {
	p.tb.Helper()
	if f, err := p.Read(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		p.tb.Fatalf("got %v and %v, want the end of the connection", f, err)
	}
}
