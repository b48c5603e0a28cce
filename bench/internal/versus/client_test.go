package versus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"testing"
)

// The request, and what answers it: the key and its answer are those of RFC 6455.
const (
	request = "GET /echo HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + accept + "\r\n\r\n"
)

var (
	statusBytes  = []byte("HTTP/1.1 101 ")
	acceptBytes  = []byte(": " + accept + "\r\n")
	endBytes     = []byte("\r\n\r\n")
	requestBytes = []byte(request)
)

// client is a connection of a client that allocates nothing once it is made.
type client struct {
	net.Conn
	in [20 << 10]byte
}

// shake does the opening handshake.
func (c *client) shake() error {
	if _, err := c.Write(requestBytes); err != nil {
		return err
	}
	n := 0
	for !bytes.HasSuffix(c.in[:n], endBytes) {
		more, err := c.Read(c.in[n:])
		if err != nil {
			return fmt.Errorf("after %q: %w", c.in[:n], err)
		}
		n += more
	}
	if got := c.in[:n]; !bytes.HasPrefix(got, statusBytes) || !bytes.Contains(got, acceptBytes) {
		return fmt.Errorf("the answer to the handshake: %q", got)
	}
	return nil
}

// exchange sends a frame and waits for another, to the byte.
func (c *client) exchange(out, want []byte) error {
	if _, err := c.Write(out); err != nil {
		return err
	}
	got := c.in[:len(want)]
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("the answer is not what was sent")
	}
	return nil
}

// dial opens a connection to a server of its own, over the loopback.
func dial(tb testing.TB, l library) *client {
	tb.Helper()
	s := httptest.NewServer(l.serve(tb, nil))
	tb.Cleanup(s.Close)
	nc, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { nc.Close() })
	c := &client{Conn: nc}
	if err := c.shake(); err != nil {
		tb.Fatal(err)
	}
	return c
}
