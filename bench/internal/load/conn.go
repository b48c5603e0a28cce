//go:build linux

package load

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/wye-go/wye/bench/internal/epoll"
	"github.com/wye-go/wye/bench/internal/frame"
)

var errHungUp = errors.New("the server has closed the connection")

// failed says which connection an error is about, and if it has been closed.
func (c *conn) failed(err error) error {
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		err = fmt.Errorf("%w: %w", errHungUp, err)
	}
	return fmt.Errorf("connection %d: %w", c.id, err)
}

// incoming is one message or control frame, or a part of a message; op is text for raw
// bytes too.
type incoming struct {
	op       byte
	payload  []byte
	deflated bool
	part     byte // of a message: whole, or where in the message
}

// Where a frame is in its message.
const (
	whole = iota
	firstPart
	nextPart
	lastPart
)

// splitter cuts the first message off b. The length is zero, without an error,
// as long as b does not hold a whole one.
type splitter func(b []byte) (incoming, int, error)

var errFrame = errors.New("a frame that is masked, fragmented or has reserved bits set")

// splitFrame cuts off a WebSocket frame. Only compressed messages may have several.
func splitFrame(b []byte) (m incoming, n int, err error) {
	h, ok, err := frame.Parse(b)
	if err != nil || !ok || len(b) < h.Size() {
		return m, 0, err
	}
	m = incoming{op: h.Op(), payload: b[h.Len:h.Size()]}
	switch {
	case h.Masked:
		return m, 0, errFrame
	case h.First == deflated:
		m.deflated = true
	case h.First == deflated&^frame.Fin:
		m.deflated, m.part = true, firstPart
	case h.First == 0:
		m.part = nextPart
	case h.First == frame.Fin:
		m.part = lastPart
	case h.First&^0x0f != frame.Fin:
		return m, 0, errFrame
	}
	return m, h.Size(), nil
}

// splitEvery returns a splitter for messages of one size with nothing around
// them.
func splitEvery(size int) splitter {
	return func(b []byte) (incoming, int, error) {
		if len(b) < size || size == 0 {
			return incoming{}, 0, nil
		}
		return incoming{op: frame.OpText, payload: b[:size]}, size, nil
	}
}

func pong(payload []byte) []byte { return maskedFrame(frame.OpPong, payload) }

// send writes b, or keeps what the socket does not take. It never keeps more
// than what the scenario has under way.
func (c *conn) send(b []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return nil
	}
	n, err := epoll.Write(c.fd, b)
	if err != nil && !errors.Is(err, epoll.ErrAgain) {
		return err
	}
	c.out = append(c.out, b[n:]...)
	return nil
}

// flush writes what was kept.
func (c *conn) flush() error {
	n, err := epoll.Write(c.fd, c.out)
	if err != nil && !errors.Is(err, epoll.ErrAgain) {
		return err
	}
	c.out = append(c.out[:0], c.out[n:]...)
	return nil
}
