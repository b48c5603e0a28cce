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

// defaultPatience is long enough for a busy machine: only a test that fails waits for it.
const defaultPatience = 30 * time.Second

// Client is the peer of one connection. Its methods stop the test at the first failure,
// so they must be called by the test's goroutine. Other goroutines can call Read, and
// write to Conn.
type Client struct {
	// Conn is the connection. Reads and writes of the test itself do not fail the test,
	// and have no deadline.
	Conn net.Conn
	// In reads from Conn. The client reads only from In.
	In *bufio.Reader
	// Patience is the longest time for each wait. Default 30 s; negative means no limit.
	Patience time.Duration
	// AnswerPings makes Read, and all methods that read a frame, answer pings and skip
	// them. Dial sets it, New does not.
	AnswerPings bool
	// Answer is the last answer that ReadAnswer, Handshake, Upgrade or Dial has read.
	Answer Answer

	tb testing.TB
}

// New returns a client for nc, a new connection to a server. It closes nc at the end of
// the test.
func New(tb testing.TB, nc net.Conn) *Client {
	tb.Helper()
	tb.Cleanup(func() { nc.Close() })
	return &Client{Conn: nc, In: bufio.NewReader(nc), tb: tb}
}

// Dial opens a connection to a URL with the scheme ws or http and does the handshake,
// which the server must accept. Values of header replace those of Request; header may be
// nil. Dial sets AnswerPings.
func Dial(tb testing.TB, rawURL string, header http.Header) *Client {
	tb.Helper()
	c, request := connect(tb, rawURL, header)
	c.Upgrade(request)
	c.AnswerPings = true
	return c
}

// Refused is Dial for a handshake that the server must refuse. It returns the answer.
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

// SendBytes sends the parts in one write. They need not be whole or valid frames.
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

// Read waits for the next frame. It does not fail the test: it returns the errors of
// ReadFrame, and os.ErrDeadlineExceeded after Patience. Another goroutine can send while
// one reads; two must not read at the same time.
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

// Want waits for the next frames, which must be these, in this order.
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

// WantClose waits for the next frame, which must be a close frame with the code, and
// returns its reason. CloseNoStatus means a close frame without a code.
func (c *Client) WantClose(code protocol.CloseCode) (reason string) {
	c.tb.Helper()
	f := c.next("a close")
	got, reason := f.Status()
	if f.First != FIN|OpClose || got != code || code == protocol.CloseNoStatus && f.Payload != "" {
		c.tb.Fatalf("websockettest: got %v, want a close with %d", f, code)
	}
	return reason
}

// WantClosed waits until the server closes the connection with the code: WantClose, an
// answer to the close frame, WantEnd. Then it closes Conn.
func (c *Client) WantClosed(code protocol.CloseCode) (reason string) {
	c.tb.Helper()
	reason = c.WantClose(code)
	_ = c.write(Close(code, "").Masked()) // after a protocol error the server need not read it
	c.WantEnd()
	c.Conn.Close()
	return reason
}

// WantEnd waits for the end of the stream (io.EOF). A frame, or a connection that is
// reset, fails the test.
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

// Close does the closing handshake: it sends a close frame, and waits for the server's,
// which must be the next frame and have the same code, and for the end of the stream.
// Then it closes Conn. It returns the reason in the server's close frame; Wye's servers
// send none.
func (c *Client) Close(code protocol.CloseCode, reason string) (answer string) {
	c.tb.Helper()
	c.Send(Close(code, reason))
	answer = c.WantClose(code)
	c.WantEnd()
	c.Conn.Close()
	return answer
}

// next waits for the next frame. what describes the expected one.
func (c *Client) next(what string) Frame {
	c.tb.Helper()
	f, err := c.Read()
	if err != nil {
		c.failed(what, err)
	}
	return f
}

// await sets the deadline for the next wait.
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

// failed fails the test, which waited for what and got err.
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
