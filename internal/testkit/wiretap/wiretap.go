// Package wiretap records what WebSocket clients and a server send each other, to see whether
// they really compress.
//
//nolint:errcheck // a connection that breaks is seen in its traffic
package wiretap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// Tap is a relay in front of a server. [New] returns one.
type Tap struct {
	server   string
	listener net.Listener
	traffic  chan Traffic
	relays   sync.WaitGroup

	mu struct {
		sync.Mutex
		conns  []net.Conn
		closed bool
	}
}

// New returns a tap in front of the server at addr. It is closed at the end of the test.
func New(tb testing.TB, addr string) *Tap {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listening: %v", err)
	}
	t := &Tap{server: addr, listener: l, traffic: make(chan Traffic, 100)}
	t.relays.Go(t.accept)
	tb.Cleanup(t.close)
	return t
}

// Addr is where clients connect.
func (t *Tap) Addr() string { return t.listener.Addr().String() }

// Traffic waits until a connection has ended, and returns what went over it.
func (t *Tap) Traffic(tb testing.TB) Traffic {
	tb.Helper()
	return testkit.Await(tb, t.traffic, "the end of a connection")
}

func (t *Tap) accept() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return
		}
		t.relays.Go(func() { t.relay(client.(*net.TCPConn)) }) //nolint:forcetypeassert // it listens to TCP
	}
}

func (t *Tap) close() {
	t.listener.Close()
	t.mu.Lock()
	t.mu.closed = true
	for _, nc := range t.mu.conns {
		nc.Close()
	}
	t.mu.Unlock()
	t.relays.Wait()
}

// keep has nc closed with the tap.
func (t *Tap) keep(nc net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.conns = append(t.mu.conns, nc)
	if t.mu.closed {
		nc.Close()
	}
}

func (t *Tap) relay(client *net.TCPConn) {
	defer client.Close()
	t.keep(client)
	nc, err := new(net.Dialer).Dial("tcp", t.server)
	if err != nil {
		return
	}
	defer nc.Close()
	t.keep(nc)
	server := nc.(*net.TCPConn) //nolint:forcetypeassert // it has dialed TCP
	var in, out bytes.Buffer
	var both sync.WaitGroup
	both.Go(func() { pass(server, client, &in) })
	both.Go(func() { pass(client, server, &out) })
	both.Wait()
	t.traffic <- newTraffic(in.Bytes(), out.Bytes())
}

// pass copies from one side to the other, and to the record.
func pass(to, from *net.TCPConn, record io.Writer) {
	_, _ = io.Copy(to, io.TeeReader(from, record))
	_ = to.CloseWrite()
	_ = from.CloseRead()
}

// Traffic is what went over a connection.
type Traffic struct {
	Offer, Answer string // Sec-WebSocket-Extensions
	In, Out       []Sent // what the client and the server have sent
	Err           error  // what was sent is not WebSocket
}

// Sent is a message, or a control frame.
type Sent struct {
	Opcode     byte
	Compressed bool // RSV1 of the first frame
	Frames     int
	Wire       int // bytes of the payloads
}

// IsControl reports whether s is a control frame.
func (s Sent) IsControl() bool { return s.Opcode >= 8 }

func newTraffic(in, out []byte) (t Traffic) {
	var errs [2]error
	t.Offer, t.In, errs[0] = parse(in)
	t.Answer, t.Out, errs[1] = parse(out)
	t.Err = errors.Join(errs[:]...)
	return t
}

// parse parses what one side has sent.
func parse(b []byte) (extensions string, sent []Sent, err error) {
	head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return "", nil, errors.New("there is no handshake")
	}
	for line := range strings.SplitSeq(string(head), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if textproto.CanonicalMIMEHeaderKey(name) == "Sec-Websocket-Extensions" {
			extensions = strings.TrimSpace(value)
		}
	}
	message := -1 // the index of the incomplete one
	for len(rest) > 0 {
		var first byte
		var n int
		if first, n, rest, err = nextFrame(rest); err != nil {
			return extensions, sent, err
		}
		opcode, rsv1 := first&15, first&0x40 != 0
		switch {
		case first&0x30 != 0, rsv1 && (opcode == 0 || opcode >= 8), (opcode == 0) != (message >= 0) && opcode < 8:
			return extensions, sent, errors.New("there is a frame that must not be there")
		case opcode == 0:
			sent[message].Frames++
			sent[message].Wire += n
		default:
			sent = append(sent, Sent{Opcode: opcode, Compressed: rsv1, Frames: 1, Wire: n})
			if opcode < 8 {
				message = len(sent) - 1
			}
		}
		if opcode < 8 && first&0x80 != 0 {
			message = -1
		}
	}
	return extensions, sent, nil
}

// nextFrame returns the first byte of a frame, the size of its payload, and what follows.
func nextFrame(b []byte) (first byte, size int, rest []byte, err error) {
	errCut := errors.New("a frame is cut off")
	if len(b) < 2 {
		return 0, 0, nil, errCut
	}
	first, size = b[0], int(b[1]&0x7f)
	head := 2
	if b[1]&0x80 != 0 {
		head += 4
	}
	switch size {
	case 126:
		head += 2
	case 127:
		head += 8
	}
	if len(b) < head {
		return 0, 0, nil, errCut
	}
	switch size {
	case 126:
		size = int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		size = int(binary.BigEndian.Uint64(b[2:])) //nolint:gosec // compared with what there is
	}
	if size < 0 || len(b)-head < size {
		return 0, 0, nil, errCut
	}
	return first, size, b[head+size:], nil
}
