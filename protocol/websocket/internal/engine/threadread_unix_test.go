//go:build unix

package engine

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// plainPair is a connection over a loopback socket.
func plainPair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if theirs, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// TestReaderWaitsWithoutBuffer reads a large message and then has nothing to read.
func TestReaderWaitsWithoutBuffer(t *testing.T) {
	t.Parallel()
	ours, theirs := plainPair(t)
	r := newSocketReader(ours)
	if r.raw == nil {
		t.Fatal("a plain socket is not read as one")
	}
	const size = 20_000
	if _, err := theirs.Write([]byte(strings.Repeat("a", size))); err != nil {
		t.Fatal(err)
	}
	for got := 0; got < size; {
		b, err := r.read(false)
		if err != nil {
			t.Fatal(err)
		}
		got += len(b)
		r.chooseSize(len(b), false)
	}
	if !r.large {
		t.Error("reads that fill the buffer have not made it large")
	}
	done := true
	if err := r.raw.Control(func(fd uintptr) { done = r.tryRead(fd) }); err != nil {
		t.Fatal(err)
	}
	if done || r.buffer != nil {
		t.Errorf("read: %v, and has a buffer: %v, although there is nothing to read", done, r.buffer != nil)
	}
	theirs.Close()
	if b, err := r.read(false); len(b) != 0 || err == nil {
		t.Errorf("got %d bytes and %v, want the end", len(b), err)
	}
	r.releaseBuffer()
}

// TestReaderOfTLSWaitsWithoutBuffer reads two messages, one of which is a byte.
func TestReaderOfTLSWaitsWithoutBuffer(t *testing.T) {
	t.Parallel()
	ours, theirs := plainPair(t)
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	peer := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
	go func() {
		for _, m := range []string{"a", "message"} {
			if _, err := peer.Write([]byte(m)); err != nil {
				t.Error(err)
			}
		}
		peer.Close()
	}()
	r := newSocketReader(tls.Server(ours, &tls.Config{Certificates: s.TLS.Certificates}))
	for _, step := range []struct {
		between bool
		want    string
		buffer  bool
	}{{true, "a", false}, {true, "m", false}, {false, "essage", true}, {true, "", false}} {
		got, err := r.read(step.between)
		if string(got) != step.want || (err != nil) != (step.want == "") {
			t.Fatalf("got %q, %v, want %q", got, err, step.want)
		}
		if (r.buffer != nil) != step.buffer {
			t.Errorf("behind %q, there is a buffer: %v", got, r.buffer != nil)
		}
	}
}

// TestReaderShrinks makes the buffer small again: of a plain socket after some small
// reads, of others when a message is complete, because they keep it while they
// wait.
func TestReaderShrinks(t *testing.T) {
	t.Parallel()
	ours, _ := plainPair(t)
	plain, wrapped := newSocketReader(ours), newSocketReader(struct{ net.Conn }{ours})
	if wrapped.raw != nil {
		t.Fatal("a wrapped socket is read past its wrapper")
	}
	for _, r := range []*socketReader{plain, wrapped} {
		r.chooseSize(smallRead, false)
		r.chooseSize(10_000, false)
		if !r.large {
			t.Fatal("not large within a message")
		}
	}
	wrapped.chooseSize(6_000, true)
	plain.chooseSize(6_000, true)
	if wrapped.large || !plain.large {
		t.Errorf("large behind a message: wrapped %v, plain %v", wrapped.large, plain.large)
	}
	for range smallReads {
		plain.chooseSize(100, true)
	}
	if plain.large {
		t.Error("large after many small reads")
	}
}

// TestGoesOn writes on behind a deadline if the peer has read something, where
// that is possible.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	ours, _ := plainPair(t)
	c := newThread(&Conn{}, ours)
	timeout := &net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}
	switch {
	case !c.goesOn(1, timeout):
		t.Error("stops although there was progress")
	case c.goesOn(0, timeout):
		t.Error("goes on without progress")
	case c.goesOn(1, net.ErrClosed):
		t.Error("goes on although the socket is closed")
	}
	c.conn.life.advance(phaseClosing)
	if c.goesOn(1, timeout) {
		t.Error("goes on although the time for our close is up")
	}
	if c = newThread(&Conn{}, struct{ net.Conn }{ours}); c.goesOn(1, timeout) {
		t.Error("goes on with a wrapper, which may not be able to")
	}
}
