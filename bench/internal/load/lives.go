//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/wye-go/wye/bench/internal/frame"
)

// lives has connections opened, closed and replaced: connect, opening handshake,
// closing handshake, all of them checked. What is counted as latency is the time
// up to the server's answer.
type lives struct {
	cl    *client
	n     int // at a time
	addr  unix.SockaddrInet4
	lives []life // by id of the connection
	bye   []byte // a close frame
	over  bool
	out   int // connections that are open
}

// life is what is said on one connection after another.
type life struct {
	request []byte
	key     string
	open    bool // the server has answered
	closed  bool // and has closed
}

func (l *lives) start() error {
	addr, err := net.ResolveTCPAddr("tcp4", l.cl.addr)
	if err != nil {
		return err
	}
	l.addr = unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	l.bye = closeFrame()
	l.cl.split = splitLife
	l.lives = make([]life, l.n)
	for i := range l.lives {
		c := &conn{fd: -1, id: uint32(i), at: make([]int64, 1)}
		l.cl.conns = append(l.cl.conns, c)
		l.lives[i].request, l.lives[i].key = newRequest(l.cl.prefix+"/echo", l.cl.addr, c.id, "")
		if err := l.begin(c); err != nil {
			return c.failed(err)
		}
	}
	return nil
}

// closeFrame is a client's close with code 1000.
func closeFrame() []byte {
	b := frame.AppendHeader(nil, frame.Fin|frame.OpClose, 2, &mask)
	return append(b, 1000>>8^mask[0], 1000&0xff^mask[1])
}

// begin opens a connection and sends its request. On a loopback, connecting has
// nothing to wait for as long as the server's backlog has room.
func (l *lives) begin(c *conn) (err error) {
	l.cl.clock()
	c.at[0] = l.cl.now
	c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	// Closing resets what the server has not closed by then, so that no port
	// stays reserved for a minute.
	if err := unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fmt.Errorf("setsockopt: %w", err)
	}
	if err := unix.Connect(c.fd, &l.addr); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return fmt.Errorf("fcntl: %w", err)
	}
	if err := l.cl.watch(c); err != nil {
		return err
	}
	l.out++
	return c.send(l.lives[c.id].request)
}

// message checks the answer to the handshake and closes the connection, or takes
// note that the server has closed it too.
func (l *lives) message(c *conn, payload []byte) error {
	life := &l.lives[c.id]
	switch {
	case !life.open:
		if err := accepted(string(payload), life.key); err != nil {
			return err
		}
		l.cl.counts.Add(l.cl.now - c.at[0])
		life.open = true
		return c.send(l.bye)
	case !life.closed && bytes.Equal(payload, []byte{1000 >> 8, 1000 & 0xff}):
		life.closed = true
		return nil
	default:
		return fmt.Errorf("the server answered a close with %q", payload)
	}
}

// drained replaces a connection that is over.
func (l *lives) drained(c *conn) error {
	life := &l.lives[c.id]
	if !life.closed {
		return nil
	}
	fd := c.fd
	c.fd = -1
	life.open, life.closed = false, false
	l.out--
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if l.over {
		return nil
	}
	return l.begin(c)
}

func (l *lives) stop()     { l.over = true }
func (l *lives) owed() int { return l.out }

// splitLife cuts off what a server sends in a life: the head of a response, or a
// close, which is passed on like a message because it is waited for.
func splitLife(b []byte) (m incoming, n int, err error) {
	if !bytes.HasPrefix(b, []byte("HTTP/")) {
		m, n, err = splitFrame(b)
		switch {
		case err != nil || n == 0:
			return m, 0, err
		case m.op == frame.OpText:
			return m, 0, errors.New("a message that nobody has sent")
		case m.op == frame.OpClose:
			m.op = frame.OpText
		}
		return m, n, nil
	}
	head, _, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return incoming{}, 0, nil
	}
	return incoming{op: frame.OpText, payload: head}, len(head) + len("\r\n\r\n"), nil
}
