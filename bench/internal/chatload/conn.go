package chatload

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// slow is how long a server may take to answer a handshake, or to take in a
// message.
const slow = 20 * time.Second

// conn is one WebSocket connection. One goroutine may read while others write.
type conn struct {
	net.Conn

	in  *bufio.Reader
	buf []byte // the last message

	write sync.Mutex
}

// closed is how a server has closed a connection.
type closed struct {
	code   ws.StatusCode
	reason string
}

func (c closed) Error() string { return fmt.Sprintf("closed with %d %q", c.code, c.reason) }

// dial opens a connection. subprotocol may be empty.
func dial(ctx context.Context, url, subprotocol string, header http.Header) (*conn, error) {
	d := ws.Dialer{Timeout: slow, Header: ws.HandshakeHeaderHTTP(header)}
	if subprotocol != "" {
		d.Protocols = []string{subprotocol}
	}
	tcp, early, shake, err := d.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	if shake.Protocol != subprotocol {
		return nil, errors.Join(fmt.Errorf("the subprotocol is %q, want %q", shake.Protocol, subprotocol), tcp.Close())
	}
	c := &conn{Conn: tcp}
	if early == nil {
		c.in = bufio.NewReaderSize(tcp, 2<<10)
	} else { // the server has spoken already; what follows is read from tcp by the same reader
		c.in = early
	}
	return c, nil
}

// read returns the next text message, which is valid until the next call.
func (c *conn) read() ([]byte, error) {
	for {
		h, err := ws.ReadHeader(c.in)
		if err != nil {
			return nil, err
		}
		if h.Masked || !h.Fin || h.Length > 1<<20 {
			return nil, fmt.Errorf("unexpected frame %+v", h)
		}
		if int64(cap(c.buf)) < h.Length {
			c.buf = make([]byte, h.Length)
		}
		b := c.buf[:h.Length]
		if _, err := io.ReadFull(c.in, b); err != nil {
			return nil, err
		}
		switch h.OpCode {
		case ws.OpText:
			return b, nil
		case ws.OpPing:
			err = c.send(ws.NewPongFrame(b))
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(b)
			return nil, errors.Join(closed{code, reason}, c.send(ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))))
		default:
			err = fmt.Errorf("unexpected opcode %#x", h.OpCode)
		}
		if err != nil {
			return nil, err
		}
	}
}

// ask sends a request.
func (c *conn) ask(r request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return c.send(ws.NewTextFrame(b))
}

// send sends a frame. It masks the payload in place.
func (c *conn) send(f ws.Frame) error {
	b, err := ws.CompileFrame(ws.MaskFrameInPlace(f))
	if err != nil {
		return err
	}
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.SetWriteDeadline(time.Now().Add(slow)); err != nil {
		return err
	}
	_, err = c.Write(b)
	return err
}
