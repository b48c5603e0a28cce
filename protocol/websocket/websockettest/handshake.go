package websockettest

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it
	"encoding/base64"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// SampleKey is the Sec-WebSocket-Key of the example in RFC 6455, which Request uses.
const SampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// Request returns the text of a handshake for target, for example "/ws/123/?uid=7". lines
// are more header lines, without line ends, for example "Origin: null". A line replaces
// the default line with its name: Host (example.com), Upgrade, Connection,
// Sec-WebSocket-Version or Sec-WebSocket-Key.
func Request(target string, lines ...string) string {
	all := []string{
		"Host: example.com", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + SampleKey,
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		all = slices.DeleteFunc(all, func(l string) bool {
			return len(l) > len(name) && strings.EqualFold(l[:len(name)], name) && l[len(name)] == ':'
		})
	}
	return "GET " + target + " HTTP/1.1\r\n" + strings.Join(append(all, lines...), "\r\n") + "\r\n\r\n"
}

// Answer is a server's answer to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   string // without the transfer encoding
	Head   string // the bytes of the status line and the headers
}

// ReadAnswer waits for the answer to a request that the test has sent with SendBytes.
// Handshake does both.
func (c *Client) ReadAnswer() Answer {
	c.tb.Helper()
	c.await()
	defer c.Conn.SetReadDeadline(time.Time{}) //nolint:errcheck // the next wait sets its own
	head, err := readHead(c.In)
	if err != nil {
		c.failed("the answer to a request", err)
	}
	resp, err := http.ReadResponse(c.In, nil)
	if err != nil {
		c.tb.Fatalf("websockettest: %q is not an answer to a request: %v", head, err)
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Head: head}
	_, lines, _ := strings.Cut(head, "\r\n")
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(lines))).ReadMIMEHeader() // ReadResponse takes Connection out
	if err != nil {
		c.tb.Fatalf("websockettest: the headers of %q: %v", head, err)
	}
	a.Header = http.Header(header)
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.tb.Fatalf("websockettest: the body of answer %d, after %q: %v", a.Status, body, err)
	}
	a.Body = string(body)
	c.Answer = a
	return a
}

// readHead returns the bytes up to the first empty line, and does not consume them.
func readHead(r *bufio.Reader) (string, error) {
	for {
		b, err := r.Peek(r.Buffered())
		if end := bytes.Index(b, []byte("\r\n\r\n")); end >= 0 {
			return string(b[:end+4]), nil
		}
		if err == nil {
			_, err = r.Peek(len(b) + 1)
		}
		if err != nil {
			return "", err
		}
	}
}

// Handshake sends a request, for example one of Request, and returns the answer.
func (c *Client) Handshake(request string) Answer {
	c.tb.Helper()
	c.SendBytes([]byte(request))
	return c.ReadAnswer()
}

// Upgrade is Handshake for a request that the server must accept: the answer must be 101
// with the Sec-WebSocket-Accept for the key of the request.
func (c *Client) Upgrade(request string) Answer {
	c.tb.Helper()
	a := c.Handshake(request)
	if a.Status != http.StatusSwitchingProtocols {
		c.tb.Fatalf("websockettest: the handshake was answered with %d %q, want 101", a.Status, a.Body)
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	if err != nil {
		c.tb.Fatalf("websockettest: %q was answered with 101, but is not a request: %v", request, err)
	}
	key := r.Header.Get("Sec-Websocket-Key")
	if got, want := a.Header.Get("Sec-Websocket-Accept"), acceptOf(key); got != want {
		c.tb.Fatalf("websockettest: the Sec-WebSocket-Accept for key %q is %q, want %q", key, got, want)
	}
	return a
}

// acceptOf returns the Sec-WebSocket-Accept for a key.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 asks for it
	return base64.StdEncoding.EncodeToString(sum[:])
}
