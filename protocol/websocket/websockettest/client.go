package websockettest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/wye-go/wye/protocol"
)

// defaultPatience is that of a Client that has none. It is the time of a failure, and
// long enough for a busy machine.
const defaultPatience = 30 * time.Second

// Client is the peer of one connection. Its methods fail the test at once if something
// is not as it must be, so they are for the test's goroutine. Other goroutines may use
// Read, and write to Conn.
type Client struct {
	// Conn is the connection. What the test itself writes to it or reads from it does not
	// fail the test, and has no deadline.
	Conn net.Conn
	// In is what Conn sends. Everything that the client reads comes through it.
	In *bufio.Reader
	// Patience is how long each wait may take. Default 30 s; below zero there is no
	// bound.
	Patience time.Duration
	// AnswerPings has the client answer pings, and leave them out of what it reads.
	// Default: true after Dial, false after New.
	AnswerPings bool
	// Answer is the last answer to a handshake.
	Answer Answer

	tb testing.TB
}

// New returns a client on a connection on which nothing has been said. The connection
// is closed at the end of the test.
func New(tb testing.TB, nc net.Conn) *Client {
	tb.Helper()
	tb.Cleanup(func() { nc.Close() })
	return &Client{Conn: nc, In: bufio.NewReader(nc), tb: tb}
}

// Dial opens a connection to a URL of the schemes ws or http, and does the handshake,
// which must be accepted. What header has stands for the values of Request; header may
// be nil. AnswerPings is set.
func Dial(tb testing.TB, rawURL string, header http.Header) *Client {
	tb.Helper()
	c, request := connect(tb, rawURL, header)
	c.Upgrade(request)
	c.AnswerPings = true
	return c
}

// Refused is Dial for a handshake that must be refused, and returns the answer.
func Refused(tb testing.TB, rawURL string, header http.Header) Answer {
	tb.Helper()
	c, request := connect(tb, rawURL, header)
	a := c.Handshake(request)
	if a.Status == http.StatusSwitchingProtocols {
		tb.Fatalf("websockettest: %s was accepted, want a refusal", rawURL)
	}
	c.Conn.Close()
	return a
}

// connect opens a connection to a URL, and returns the handshake for it.
func connect(tb testing.TB, rawURL string, header http.Header) (c *Client, request string) {
	tb.Helper()
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "ws" && u.Scheme != "http" {
		tb.Fatalf("websockettest: cannot dial %q (%v); give a URL of the schemes ws or http, or New a connection", rawURL, err)
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	nc, err := (&net.Dialer{Timeout: defaultPatience}).DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatalf("websockettest: dialing %s: %v", rawURL, err)
	}
	lines := []string{"Host: " + u.Host}
	for name, values := range header {
		for _, v := range values {
			lines = append(lines, name+": "+v)
		}
	}
	return New(tb, nc), Request(u.RequestURI(), lines...)
}

// Send sends frames, masked, in one write.
func (c *Client) Send(frames ...Frame) {
	c.tb.Helper()
	parts := make([][]byte, len(frames))
	for i, f := range frames {
		parts[i] = f.Masked()
	}
	c.SendBytes(parts...)
}

// SendText sends a text message.
func (c *Client) SendText(s string) { c.tb.Helper(); c.Send(Text(s)) }

// SendBytes sends bytes, joined in one write. They may be anything: pieces of frames,
// several frames, or no frames at all.
func (c *Client) SendBytes(parts ...[]byte) {
	c.tb.Helper()
	b := bytes.Join(parts, nil)
	if err := c.write(b); err != nil {
		c.tb.Fatalf("websockettest: sending %d bytes: %v", len(b), err)
	}
}

func (c *Client) write(b []byte) error {
	_ = c.Conn.SetWriteDeadline(c.deadline()) // if it cannot be set, the write fails
	_, err := c.Conn.Write(b)
	_ = c.Conn.SetWriteDeadline(time.Time{}) // for writes to Conn
	return err
}

// Read reads the next frame, without failing the test: see ReadFrame for what is an
// error. After Patience the error is os.ErrDeadlineExceeded. Read may run beside the
// other methods as long as none of those reads.
func (c *Client) Read() (Frame, error) {
	c.await()
	defer c.Conn.SetReadDeadline(time.Time{}) //nolint:errcheck // the next wait sets its own
	for {
		f, err := ReadFrame(c.In)
		if err != nil || f.First != FIN|OpPing || !c.AnswerPings {
			return f, err
		}
		if err := c.write(Pong(f.Payload).Masked()); err != nil {
			return f, fmt.Errorf("answering %v: %w", f, err)
		}
	}
}

// Next waits for the next frame.
func (c *Client) Next() Frame { c.tb.Helper(); return c.next("a frame") }

// Want waits for frames, which must be the next ones.
func (c *Client) Want(frames ...Frame) {
	c.tb.Helper()
	for _, want := range frames {
		if got := c.next(want.String()); got != want {
			c.tb.Fatalf("websockettest: got %v, want %v", got, want)
		}
	}
}

// WantText waits for the next frame, which must be the text message s.
func (c *Client) WantText(s string) { c.tb.Helper(); c.Want(Text(s)) }

// Text waits for the next frame, which must be a text message, and returns it.
func (c *Client) Text() string {
	c.tb.Helper()
	f := c.next("text")
	if f.First != FIN|OpText {
		c.tb.Fatalf("websockettest: got %v, want text", f)
	}
	return f.Payload
}

// WantClose waits for the next frame, which must be a close with code, and returns its
// reason. CloseNoStatus is a close without a code.
func (c *Client) WantClose(code protocol.CloseCode) (reason string) {
	c.tb.Helper()
	f := c.next("a close")
	got, reason := f.Status()
	if f.First != FIN|OpClose || got != code || code == protocol.CloseNoStatus && f.Payload != "" {
		c.tb.Fatalf("websockettest: got %v, want a close with %d", f, code)
	}
	return reason
}

// WantClosed is WantClose for a server that closes the connection: it answers the
// close, waits for the end of the stream, and closes Conn.
func (c *Client) WantClosed(code protocol.CloseCode) (reason string) {
	c.tb.Helper()
	reason = c.WantClose(code)
	_ = c.write(Close(code, "").Masked()) // a server that has seen a broken rule need not read it
	c.WantEnd()
	c.Conn.Close()
	return reason
}

// WantEnd waits for the end of the stream, with nothing before. A connection that is
// reset does not end like that.
func (c *Client) WantEnd() {
	c.tb.Helper()
	f, err := c.Read()
	if err == nil {
		c.tb.Fatalf("websockettest: got %v, want the end of the stream", f)
	}
	if !errors.Is(err, io.EOF) {
		c.failed("the end of the stream", err)
	}
}

// Close closes the connection as RFC 6455 has it: it sends a close, waits for the
// server's, which must be the next frame and have the same code, waits for the end of
// the stream, and closes Conn. It returns the reason in the server's close, which is
// empty if the server is Wye's.
func (c *Client) Close(code protocol.CloseCode, reason string) (answer string) {
	c.tb.Helper()
	c.Send(Close(code, reason))
	answer = c.WantClose(code)
	c.WantEnd()
	c.Conn.Close()
	return answer
}

// next waits for the next frame, which should be what.
func (c *Client) next(what string) Frame {
	c.tb.Helper()
	f, err := c.Read()
	if err != nil {
		c.failed(what, err)
	}
	return f
}

// await bounds what is read until the deadline is set anew.
func (c *Client) await() {
	_ = c.Conn.SetReadDeadline(c.deadline()) // if it cannot be set, the read fails
}

func (c *Client) deadline() time.Time {
	if p := c.patience(); p > 0 {
		return time.Now().Add(p)
	}
	return time.Time{}
}

func (c *Client) patience() time.Duration {
	if c.Patience == 0 {
		return defaultPatience
	}
	return c.Patience
}

// failed fails the test, which has waited for something.
func (c *Client) failed(what string, err error) {
	c.tb.Helper()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.tb.Fatalf("websockettest: waiting for %s: nothing within %v", what, c.patience())
	case errors.Is(err, io.EOF):
		c.tb.Fatalf("websockettest: waiting for %s: the stream has ended", what)
	}
	c.tb.Fatalf("websockettest: waiting for %s: %v", what, err)
}
