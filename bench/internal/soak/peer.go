package soak

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/wye-go/wye/bench/internal/frame"
)

// lifetime is how long one life of a peer may take.
const lifetime = 15 * time.Second

// peer is one connection to the server, seen from outside.
type peer struct {
	*net.TCPConn
	in  *bufio.Reader
	out []byte // scratch for frames
}

// connect opens a connection from a random loopback address, so that ports do not run
// out.
func connect(ctx context.Context, addr string) (*peer, error) {
	from := net.TCPAddr{IP: net.IPv4(127, 0, byte(rand.IntN(256)), byte(1+rand.IntN(254)))}
	d := net.Dialer{LocalAddr: &from}
	nc, err := d.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return nil, err
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a %T is no TCP connection", nc), nc.Close())
	}
	return &peer{TCPConn: tcp, in: bufio.NewReader(tcp)}, tcp.SetDeadline(time.Now().Add(lifetime))
}

// request writes a handshake; lines are added to it, or replace one of the same name.
func (p *peer) request(path string, lines ...string) error {
	header := []string{
		"Host: " + p.RemoteAddr().String(), "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		header = slices.DeleteFunc(header, func(h string) bool { return strings.HasPrefix(h, name+":") })
		header = append(header, line)
	}
	_, err := io.WriteString(p, "GET /"+path+" HTTP/1.1\r\n"+strings.Join(header, "\r\n")+"\r\n\r\n")
	return err
}

// answer reads the answer to a handshake, which must have the status.
func (p *peer) answer(want int) error {
	r, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if want != http.StatusSwitchingProtocols {
		_, err = io.Copy(io.Discard, r.Body)
		err = errors.Join(err, r.Body.Close())
	}
	if r.StatusCode != want {
		err = errors.Join(err, fmt.Errorf("answered with %s, want %d", r.Status, want))
	}
	return err
}

// open does the handshake on a path.
func (p *peer) open(path string) error {
	if err := p.request(path); err != nil {
		return err
	}
	return p.answer(http.StatusSwitchingProtocols)
}

// add appends a masked frame to what flush will write.
func (p *peer) add(first byte, payload []byte) {
	mask := [4]byte{1, 2, 3, 4}
	p.out = frame.AppendHeader(p.out, first, len(payload), &mask)
	for i, b := range payload {
		p.out = append(p.out, b^mask[i%4])
	}
}

// addClose appends a close with 1000.
func (p *peer) addClose() {
	p.add(frame.Fin|frame.OpClose, binary.BigEndian.AppendUint16(nil, 1000))
}

// flush writes what was added, in one write.
func (p *peer) flush() error {
	_, err := p.Write(p.out)
	p.out = p.out[:0]
	return err
}

// message reads the next frame that is not a ping or a pong, and answers pings.
func (p *peer) message() (op byte, payload []byte, err error) {
	for {
		h, err := p.header()
		if err != nil {
			return 0, nil, err
		}
		payload = make([]byte, h.Payload)
		if _, err := io.ReadFull(p.in, payload); err != nil {
			return 0, nil, err
		}
		switch op := h.Op(); {
		case op == frame.OpClose || !h.Control():
			return op, payload, nil
		case op == frame.OpPing:
			p.add(frame.Fin|frame.OpPong, payload)
			if err := p.flush(); err != nil {
				return 0, nil, err
			}
		}
	}
}

func (p *peer) header() (frame.Header, error) {
	for n := 2; ; n++ {
		b, err := p.in.Peek(n)
		if err != nil {
			return frame.Header{}, err
		}
		h, ok, err := frame.Parse(b)
		if err != nil {
			return h, err
		}
		if ok {
			_, err = p.in.Discard(h.Len)
			return h, err
		}
	}
}

// closes reads until the server's close, which must have one of the codes, and until it
// hangs up.
func (p *peer) closes(codes ...uint16) error {
	for {
		op, payload, err := p.message()
		if err != nil {
			return fmt.Errorf("waiting for a close with one of %v: %w", codes, err)
		}
		if op != frame.OpClose {
			continue
		}
		var code uint16
		if len(payload) >= 2 {
			code = binary.BigEndian.Uint16(payload)
		}
		if slices.Contains(codes, code) {
			return p.hungUp()
		}
		return fmt.Errorf("closed with %d (%q), want one of %v", code, payload[min(2, len(payload)):], codes)
	}
}

// hungUp answers the close, and waits for the server to hang up.
func (p *peer) hungUp() error {
	p.addClose()
	_ = p.flush() //nolint:errcheck // the server may have hung up already
	_, err := io.Copy(io.Discard, p.in)
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// vanish resets the connection.
func (p *peer) vanish() error {
	return errors.Join(p.SetLinger(0), p.Close())
}
