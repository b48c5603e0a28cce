package versus

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a connection on which the same bytes come over and over, as many at
// a time as the reader asks for and at no cost but that of a copy. What is
// written to it is lost.
type memory struct {
	stream  []byte
	at      int
	left    int           // bytes that are still to come
	begin   chan struct{} // closed to let them come
	reading chan struct{} // closed when somebody waits for them
	over    chan struct{} // closed when the server has closed the connection
	once    struct{ read, close sync.Once }
}

func newMemory(stream []byte, n int) *memory {
	return &memory{
		stream: stream, left: n,
		begin: make(chan struct{}), reading: make(chan struct{}), over: make(chan struct{}),
	}
}

// Read fills b as long as there is anything left.
func (m *memory) Read(b []byte) (n int, err error) {
	m.once.read.Do(func() {
		close(m.reading)
		<-m.begin
	})
	if m.left == 0 {
		return 0, io.EOF
	}
	b = b[:min(len(b), m.left)]
	for n < len(b) {
		part := copy(b[n:], m.stream[m.at:])
		n += part
		m.at = (m.at + part) % len(m.stream)
	}
	m.left -= n
	return n, nil
}

// Write takes everything.
func (m *memory) Write(b []byte) (int, error) { return len(b), nil }

// Close tells that the connection is over.
func (m *memory) Close() error {
	m.once.close.Do(func() { close(m.over) })
	return nil
}

// LocalAddr returns no address of any use.
func (m *memory) LocalAddr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// RemoteAddr returns no address of any use.
func (m *memory) RemoteAddr() net.Addr { return m.LocalAddr() }

// SetDeadline does nothing: nothing here takes time.
func (m *memory) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (m *memory) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (m *memory) SetWriteDeadline(time.Time) error { return nil }

// hijacker is the ResponseWriter of a request that came over a memory.
type hijacker struct {
	http.ResponseWriter
	nc net.Conn
}

// Hijack hands the connection over, with buffers of the size of net/http's.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.nc, bufio.NewReadWriter(bufio.NewReader(h.nc), bufio.NewWriter(h.nc)), nil
}

// feed has a library serve a memory. It returns when the handshake is over and
// the library waits for messages.
func feed(tb testing.TB, l library, drop func([]byte), stream []byte, n int) *memory {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	if err != nil {
		tb.Fatal(err)
	}
	m := newMemory(stream, n)
	h := l.serve(tb, drop)
	go h.ServeHTTP(&hijacker{httptest.NewRecorder(), m}, r)
	select {
	case <-m.reading:
	case <-m.over:
		tb.Fatal("the handshake failed")
	}
	return m
}
