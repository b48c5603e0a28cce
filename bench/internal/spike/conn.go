//go:build linux

package spike

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/epoll"
	"github.com/wye-go/wye/bench/internal/frame"
	"github.com/wye-go/wye/protocol"
)

// conn is one connection, and the protocol.Transport of its session. Between
// the turns of the loop its buffers are most often nil.
type conn struct {
	loop    *Loop
	fd      int
	session *protocol.Session // nil until the request is complete
	key     string            // of the handshake
	part    []byte            // the start of a request or a frame
	last    bool              // nothing follows what is in out

	mu    sync.Mutex // senders on other goroutines would need it, so it is paid for
	out   []byte     // what the socket did not take, or has not been given yet
	dirty bool       // it is in Loop.dirty, or will be flushed at the end of its event
}

var (
	_ protocol.Transport      = (*conn)(nil)
	_ interface{ Schedule() } = (*conn)(nil)
)

// Accept puts the answer into the outgoing bytes.
func (c *conn) Accept(protocol.AcceptOptions) error {
	c.out = append(c.out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	c.out = append(frame.AppendAccept(c.out, []byte(c.key)), "\r\n\r\n"...)
	return nil
}

// Reject answers with a status.
func (c *conn) Reject(e *protocol.RejectError) {
	c.out = fmt.Appendf(c.out, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", e.Status, http.StatusText(e.Status))
	c.last = true
}

// Send appends a frame.
func (c *conn) Send(m protocol.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(len(m.Data)); err != nil {
		return err
	}
	c.out = frame.AppendHeader(c.out, frame.Fin|op(m.Kind), len(m.Data), nil)
	c.out = append(c.out, m.Data...)
	return nil
}

// SendPrepared appends a frame that other connections get as well.
func (c *conn) SendPrepared(p *protocol.Prepared) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(p.Len()); err != nil {
		return err
	}
	c.out = p.AppendFrame(c.out, plain, encode)
	return nil
}

// admit applies the bound, and has the connection flushed.
func (c *conn) admit(n int) error {
	if c.last {
		return protocol.ErrClosed
	}
	if len(c.out) > 0 && len(c.out)+n > 4<<20 {
		return protocol.ErrQueueFull
	}
	if !c.dirty {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
	return nil
}

// Close appends a close frame.
func (c *conn) Close(s protocol.CloseStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = frame.AppendHeader(c.out, frame.Fin|frame.OpClose, 2+len(s.Reason), nil)
	c.out = append(binary.BigEndian.AppendUint16(c.out, uint16(s.Code)), s.Reason...)
	c.last = true
}

// Schedule has the loop run callbacks later in its turn.
func (c *conn) Schedule() { c.loop.due = append(c.loop.due, c) }

// variant names this package's encoding in protocol.Prepared.
type variant uint8

const plain variant = 0

func encode(b []byte, m protocol.Message) []byte {
	return append(frame.AppendHeader(b, frame.Fin|op(m.Kind), len(m.Data), nil), m.Data...)
}

func op(k protocol.Kind) byte {
	if k == protocol.KindBinary {
		return byte(ws.OpBinary)
	}
	return frame.OpText
}

var (
	errEnd      = errors.New("end of stream")
	errUnmasked = errors.New("client frame without a mask")
)

// consume deals with what is complete in b and returns what is not.
func (c *conn) consume(b []byte) (rest []byte, err error) {
	if c.session == nil {
		if b, err = c.handshake(b); c.session == nil || err != nil {
			return b, err
		}
	}
	return c.frames(b)
}

// handshake opens the session when the request is complete.
func (c *conn) handshake(b []byte) (rest []byte, err error) {
	const end = "\r\n\r\n"
	at := bytes.Index(b, []byte(end))
	if at < 0 {
		return b, nil
	}
	r, err := http.ReadRequest(newReader(b[:at+len(end)]))
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	c.key = r.Header.Get("Sec-Websocket-Key")
	c.open(r)
	return b[at+len(end):], nil
}

// frames hands the messages in b to the session, which runs the consumer here.
func (c *conn) frames(b []byte) (rest []byte, err error) {
	for {
		h, ok, err := frame.Parse(b)
		if err != nil {
			return nil, err
		}
		if !ok || len(b) < h.Size() {
			return b, nil
		}
		if !h.Masked {
			return nil, errUnmasked
		}
		payload := b[h.Len:h.Size()]
		ws.Cipher(payload, h.Mask, 0)
		c.handle(h.Op(), payload)
		b = b[h.Size():]
	}
}

func (c *conn) handle(op byte, payload []byte) {
	switch op {
	case frame.OpText:
		c.session.Receive(protocol.Message{Data: payload})
	case byte(ws.OpBinary):
		c.session.Receive(protocol.Message{Kind: protocol.KindBinary, Data: payload})
	case frame.OpPing:
		c.out = append(frame.AppendHeader(c.out, frame.Fin|frame.OpPong, len(payload), nil), payload...)
	case frame.OpClose:
		c.session.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
		c.out = append(frame.AppendHeader(c.out, frame.Fin|frame.OpClose, len(payload), nil), payload...)
		c.last = true
	}
}

// flush writes what waits; what the socket does not take stays, until epoll
// says that it may be tried again.
func (c *conn) flush() error {
	n, err := epoll.Write(c.fd, c.out)
	if err != nil && !errors.Is(err, epoll.ErrAgain) {
		return fmt.Errorf("write: %w", err)
	}
	c.out = append(c.out[:0], c.out[n:]...)
	if c.last && len(c.out) == 0 {
		return io.EOF
	}
	return nil
}
