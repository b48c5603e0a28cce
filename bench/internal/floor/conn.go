//go:build linux

package floor

import (
	"errors"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/bench/internal/epoll"
	"github.com/wye-go/wye/bench/internal/frame"
)

// maxPending is how much may wait for a client that does not read.
const maxPending = 16 << 20

var (
	errEnd      = errors.New("end of stream")
	errSlow     = errors.New("client does not read")
	errUnmasked = errors.New("client frame without a mask")
)

// conn is one connection. Both buffers are empty, and most often nil, between
// the turns of the loop.
type conn struct {
	fd      int
	slot    int    // where it is in room.members
	open    bool   // the handshake is done, or there is none
	alone   bool   // a member whose messages are answered to itself
	dirty   bool   // it is in Server.dirty
	overrun bool   // a message to it was lost, so it must go
	room    *room  // nil outside of rooms
	part    []byte // the start of a request or a frame
	out     []byte // what the socket did not take, or has not been given yet
}

// readable takes in what the socket has. A read that leaves room in the buffer
// has emptied the socket, so no second read is needed to learn that.
func (s *Server) readable(c *conn) error {
	for {
		had := copy(s.buf, c.part)
		n, err := epoll.Read(c.fd, s.buf[had:])
		if errors.Is(err, epoll.ErrAgain) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errEnd
		}
		rest, err := s.consume(c, s.buf[:had+n])
		if err != nil {
			return err
		}
		c.part = append(c.part[:0], rest...)
		if had+n < len(s.buf) {
			return nil
		}
	}
}

// consume answers what is complete in b and returns what is not.
func (s *Server) consume(c *conn, b []byte) (rest []byte, err error) {
	if s.raw {
		return nil, c.write(b)
	}
	if !c.open {
		if b, err = s.upgrade(c, b); err != nil || !c.open {
			return b, err
		}
	}
	replies, rest, err := c.frames(b)
	if err != nil || len(replies) == 0 {
		return rest, err
	}
	if c.room != nil && !c.alone {
		s.broadcast(c.room, replies)
		return rest, nil
	}
	return rest, c.write(replies)
}

// frames turns the complete client frames in b into server frames, within b:
// a server frame is four bytes shorter, for want of a mask, so the replies stay
// behind the frames still to be read. The first one does not even move.
func (c *conn) frames(b []byte) (replies, rest []byte, err error) {
	from, to, at := 0, 0, 0
	for {
		h, ok, err := frame.Parse(b[at:])
		if err != nil {
			return nil, nil, err
		}
		if !ok || len(b)-at < h.Size() {
			return b[from:to], b[at:], nil
		}
		if !h.Masked {
			return nil, nil, errUnmasked
		}
		payload := b[at+h.Len : at+h.Size()]
		ws.Cipher(payload, h.Mask, 0)
		if h.Control() {
			if err := c.control(h.Op(), payload); err != nil {
				return nil, nil, err
			}
			at += h.Size()
			continue
		}
		hl := frame.HeaderLen(h.Payload)
		if from == to {
			from = at + h.Len - hl
			to = from
		} else {
			copy(b[to+hl:], payload)
		}
		frame.PutHeader(b[to:], h.First, h.Payload)
		to += hl + h.Payload
		at += h.Size()
	}
}

// control answers a ping or a close at once; a close also ends the connection.
func (c *conn) control(op byte, payload []byte) error {
	switch op {
	case frame.OpPing:
		return c.write(append(frame.AppendHeader(nil, frame.Fin|frame.OpPong, len(payload), nil), payload...))
	case frame.OpClose:
		err := c.write(append(frame.AppendHeader(nil, frame.Fin|frame.OpClose, len(payload), nil), payload...))
		return errors.Join(err, errEnd)
	}
	return nil
}

// write sends b, behind what already waits.
func (c *conn) write(b []byte) error {
	if len(c.out) > 0 {
		return c.enqueue(b)
	}
	n, err := epoll.Write(c.fd, b)
	if err != nil && !errors.Is(err, epoll.ErrAgain) {
		return err
	}
	return c.enqueue(b[n:])
}

func (c *conn) enqueue(b []byte) error {
	if len(c.out)+len(b) > maxPending {
		return errSlow
	}
	c.out = append(c.out, b...)
	return nil
}

// flush writes what waits; what the socket does not take stays, until epoll
// says that it may be tried again.
func (c *conn) flush() error {
	n, err := epoll.Write(c.fd, c.out)
	if err != nil && !errors.Is(err, epoll.ErrAgain) {
		return err
	}
	c.out = append(c.out[:0], c.out[n:]...)
	return nil
}
