package exampletest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// Client is a WebSocket client that is not Wye's: that of gobwas/ws. Its methods
// are for the test's goroutine, and fail the test at once.
type Client struct {
	// Header is the server's answer to the handshake, without what belongs to
	// WebSocket itself.
	Header http.Header

	t    testing.TB
	conn net.Conn
	in   io.Reader
}

// Dial opens a connection, with header in the handshake; subprotocols in it are
// offered. It is cut at the end of the test if it is open then.
func Dial(t testing.TB, url string, header http.Header) *Client {
	t.Helper()
	c := &Client{t: t, Header: http.Header{}}
	const offer = "Sec-Websocket-Protocol"
	header = header.Clone()
	protocols := header.Values(offer)
	header.Del(offer)
	dialer := ws.Dialer{
		Timeout:   Patience,
		Header:    ws.HandshakeHeaderHTTP(header),
		Protocols: protocols,
		OnHeader: func(key, value []byte) error {
			c.Header.Add(string(key), string(value))
			return nil
		},
	}
	conn, early, _, err := dialer.Dial(context.Background(), url)
	if err != nil {
		t.Fatalf("dialing %s: %v", url, err)
	}
	c.conn, c.in = conn, conn
	if early != nil { // the server has spoken already
		c.in = early
	}
	t.Cleanup(func() { conn.Close() })
	return c
}

// send sends one message or control frame.
func (c *Client) send(op ws.OpCode, payload []byte) {
	c.t.Helper()
	_ = c.conn.SetDeadline(time.Now().Add(Patience)) //nolint:errcheck // the write fails
	// The library masks what it is given in place.
	if err := wsutil.WriteClientMessage(c.conn, op, bytes.Clone(payload)); err != nil {
		c.t.Fatalf("sending %v: %v", op, err)
	}
}

// receive waits for the next message or control frame that is not a ping.
func (c *Client) receive(want string) (ws.OpCode, []byte) {
	c.t.Helper()
	_ = c.conn.SetDeadline(time.Now().Add(Patience)) //nolint:errcheck // the read fails
	for {
		in := wsutil.Reader{Source: c.in, State: ws.StateClientSide, CheckUTF8: true}
		header, err := in.NextFrame()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", want, err)
		}
		payload, err := io.ReadAll(&in)
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", want, err)
		}
		if header.OpCode != ws.OpPing {
			return header.OpCode, payload
		}
		c.send(ws.OpPong, payload)
	}
}

// want waits for the next message or control frame, which must be this one.
func (c *Client) want(what string, op ws.OpCode, payload []byte) {
	c.t.Helper()
	if gotOp, got := c.receive(what); gotOp != op || !bytes.Equal(got, payload) {
		c.t.Fatalf("got opcode %#x with %s, want %s %s", gotOp, Short(string(got)), what, Short(string(payload)))
	}
}

// SendText sends a text message.
func (c *Client) SendText(s string) { c.t.Helper(); c.send(ws.OpText, []byte(s)) }

// SendBinary sends a binary message.
func (c *Client) SendBinary(b []byte) { c.t.Helper(); c.send(ws.OpBinary, b) }

// Text waits for the next message, which must be text, and returns it.
func (c *Client) Text() string {
	c.t.Helper()
	op, payload := c.receive("text")
	if op != ws.OpText {
		c.t.Fatalf("got opcode %#x with %s, want text", op, Short(string(payload)))
	}
	return string(payload)
}

// WantText waits for the next message, which must be the text want.
func (c *Client) WantText(want string) { c.t.Helper(); c.want("the text", ws.OpText, []byte(want)) }

// WantBinary waits for the next message, which must be binary and want.
func (c *Client) WantBinary(want []byte) { c.t.Helper(); c.want("the bytes", ws.OpBinary, want) }

// Ping sends a ping and waits for its answer, which must be the next to come.
func (c *Client) Ping(payload string) {
	c.t.Helper()
	c.send(ws.OpPing, []byte(payload))
	c.want("the pong", ws.OpPong, []byte(payload))
}

// WantClose waits until the server closes, with no message before, answers, and
// waits until the server has hung up. code is what it must close with.
func (c *Client) WantClose(code ws.StatusCode) (reason string) {
	c.t.Helper()
	op, payload := c.receive("a close")
	return c.closed(code, op, payload)
}

// SkipToClose is WantClose, whatever text comes before.
func (c *Client) SkipToClose(code ws.StatusCode) (reason string) {
	c.t.Helper()
	op, payload := c.receive("a close")
	for op == ws.OpText {
		op, payload = c.receive("a close")
	}
	return c.closed(code, op, payload)
}

// closed is given what the server has closed with, and answers.
func (c *Client) closed(code ws.StatusCode, op ws.OpCode, payload []byte) (reason string) {
	c.t.Helper()
	reason = c.wantCloseFrame(code, op, payload)
	c.send(ws.OpClose, ws.NewCloseFrameBody(code, ""))
	c.wantEnd()
	return reason
}

// Close closes with 1000, which the server must answer with the same before it
// hangs up.
func (c *Client) Close() {
	c.t.Helper()
	c.send(ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	op, payload := c.receive("a close")
	c.wantCloseFrame(ws.StatusNormalClosure, op, payload)
	c.wantEnd()
}

func (c *Client) wantCloseFrame(code ws.StatusCode, op ws.OpCode, payload []byte) (reason string) {
	c.t.Helper()
	if op != ws.OpClose {
		c.t.Fatalf("got opcode %#x with %s, want a close with %d", op, Short(string(payload)), code)
	}
	got, reason := ws.ParseCloseFrameData(payload)
	if got != code {
		c.t.Fatalf("closed with %d %q, want %d", got, reason, code)
	}
	return reason
}

// wantEnd waits until the server has hung up, as it must after a close.
func (c *Client) wantEnd() {
	c.t.Helper()
	if n, err := c.in.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		c.t.Fatalf("after the close: %d more bytes and %v, want the end of the connection", n, err)
	}
}

// Answer is what an HTTP request got.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Do makes one HTTP request on a connection of its own. Of an upgrade that the
// server takes, it returns the answer and hangs up.
func Do(t testing.TB, method, url string, header http.Header, body string) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header.Clone()
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Status == http.StatusSwitchingProtocols {
		return a
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	a.Body = string(got)
	return a
}

// Upgrade is the header of a WebSocket handshake, and what more is given in
// names and values in turn.
func Upgrade(more ...string) http.Header {
	h := http.Header{}
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	h.Set("Sec-Websocket-Version", "13")
	h.Set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") // RFC 6455's
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// Short is s as a failure shows it.
func Short(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
