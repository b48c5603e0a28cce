package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
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
	_, err := io.WriteString(p, websockettest.Request("/"+path, append(lines, "Host: "+p.RemoteAddr().String())...))
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

// add appends a frame to what flush will write.
func (p *peer) add(f websockettest.Frame) { p.out = append(p.out, f.Masked()...) }

// addText appends a text message.
func (p *peer) addText(s string) { p.add(websockettest.Text(s)) }

// addClose appends a close with 1000.
func (p *peer) addClose() { p.add(websockettest.Close(protocol.CloseNormal, "")) }

// flush writes what was added, in one write.
func (p *peer) flush() error {
	_, err := p.Write(p.out)
	p.out = p.out[:0]
	return err
}

// message reads the next frame that is not a ping or a pong, and answers pings.
func (p *peer) message() (websockettest.Frame, error) {
	for {
		f, err := websockettest.ReadFrame(p.in)
		if err != nil {
			return f, err
		}
		switch f.First {
		case websockettest.FIN | websockettest.OpPong:
		case websockettest.FIN | websockettest.OpPing:
			p.add(websockettest.Pong(f.Payload))
			if err := p.flush(); err != nil {
				return f, err
			}
		default:
			return f, nil
		}
	}
}

// closes reads until the server's close, which must have one of the codes, and until it
// hangs up.
func (p *peer) closes(codes ...protocol.CloseCode) error {
	for {
		f, err := p.message()
		if err != nil {
			return fmt.Errorf("waiting for a close with one of %v: %w", codes, err)
		}
		if f.First != websockettest.FIN|websockettest.OpClose {
			continue
		}
		if code, _ := f.Status(); slices.Contains(codes, code) {
			return p.hungUp()
		}
		return fmt.Errorf("got %v, want a close with one of %v", f, codes)
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
