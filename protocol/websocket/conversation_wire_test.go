package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// wire is a socket in memory. What its client says comes in the pieces in which
// it was said; what the server writes is kept.
type wire struct {
	mu       sync.Mutex
	more     *sync.Cond
	pieces   [][]byte
	hungUp   bool
	deadline time.Time // of reads

	out    bytes.Buffer
	halved bool // our half is closed
	shut   bool
	wrong  error // what no socket should be asked for
}

func newWire() *wire {
	w := &wire{}
	w.more = sync.NewCond(&w.mu)
	return w
}

// say gives the server something to read.
func (w *wire) say(piece []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(piece) > 0 {
		w.pieces = append(w.pieces, bytes.Clone(piece))
		w.more.Broadcast()
	}
}

// hangUp ends what the client says.
func (w *wire) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hungUp = true
	w.more.Broadcast()
}

// written is everything the server has written, whether it has closed its half,
// and whether it has closed the socket.
func (w *wire) written() (out []byte, half, shut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.out.Bytes()), w.halved, w.shut
}

func (w *wire) Read(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case w.shut:
			return 0, net.ErrClosed
		case !w.deadline.IsZero() && !time.Now().Before(w.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(w.pieces) > 0:
			n := copy(b, w.pieces[0])
			if w.pieces[0] = w.pieces[0][n:]; len(w.pieces[0]) == 0 {
				w.pieces = w.pieces[1:]
			}
			return n, nil
		case w.hungUp:
			return 0, io.EOF
		}
		w.more.Wait()
	}
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.shut:
		return 0, net.ErrClosed
	case w.halved:
		w.wrong = errors.New("a write behind CloseWrite")
	}
	return w.out.Write(b)
}

func (w *wire) CloseWrite() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halved = true
	return nil
}

func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut {
		w.wrong = errors.New("closed twice")
	}
	w.shut = true
	w.more.Broadcast()
	return nil
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	w.more.Broadcast()
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), w.more.Broadcast)
	}
	return nil
}

func (w *wire) SetDeadline(t time.Time) error    { return w.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(time.Time) error { return nil } // writes never wait
func (w *wire) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (w *wire) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// answering is a ResponseWriter on a wire; what the client has said early has
// been read already. It counts what is made of it.
type answering struct {
	wire     *wire
	early    []byte
	header   http.Header
	statuses []int
	body     bytes.Buffer
	hijacks  int
	late     int // uses of what was taken over
}

func (a *answering) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

func (a *answering) WriteHeader(status int) {
	a.late += a.hijacks
	a.statuses = append(a.statuses, status)
}

func (a *answering) Write(b []byte) (int, error) {
	a.late += a.hijacks
	return a.body.Write(b)
}

func (a *answering) Flush() { a.late += a.hijacks }

func (a *answering) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.hijacks++
	br := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(a.early), a.wire), max(16, len(a.early)))
	if _, err := br.Peek(len(a.early)); err != nil {
		return nil, nil, err
	}
	return a.wire, bufio.NewReadWriter(br, bufio.NewWriter(a.wire)), nil
}
