//go:build unix

package websocket

import (
	"net"
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

// TestInputWaitsWithoutBuffer reads a large message and then has nothing to read.
func TestInputWaitsWithoutBuffer(t *testing.T) {
	t.Parallel()
	ours, theirs := plainPair(t)
	in := newInput(ours)
	if in.raw == nil {
		t.Fatal("a plain socket is not read as one")
	}
	const size = 20_000
	if _, err := theirs.Write([]byte(strings.Repeat("a", size))); err != nil {
		t.Fatal(err)
	}
	for got := 0; got < size; {
		b, err := in.read()
		if err != nil {
			t.Fatal(err)
		}
		got += len(b)
		in.adapt(len(b), false)
	}
	if !in.large {
		t.Error("reads that fill the buffer have not made it large")
	}
	done := true
	if err := in.raw.raw.Control(func(fd uintptr) { done = in.raw.attempt(fd) }); err != nil {
		t.Fatal(err)
	}
	if done || in.b != nil {
		t.Errorf("read: %v, and has a buffer: %v, although there is nothing to read", done, in.b != nil)
	}
	theirs.Close()
	if b, err := in.read(); len(b) != 0 || err == nil {
		t.Errorf("got %d bytes and %v, want the end", len(b), err)
	}
	in.put()
}

// TestInputShrinks makes the buffer small again: of a plain socket after some small
// reads, of others when a message is complete, because they keep it while they
// wait.
func TestInputShrinks(t *testing.T) {
	t.Parallel()
	ours, _ := plainPair(t)
	plain, wrapped := newInput(ours), newInput(struct{ net.Conn }{ours})
	if wrapped.raw != nil {
		t.Fatal("a wrapped socket is read past its wrapper")
	}
	for _, in := range []*input{plain, wrapped} {
		in.adapt(smallRead, false)
		in.adapt(10_000, false)
		if !in.large {
			t.Fatal("not large within a message")
		}
	}
	wrapped.adapt(6_000, true)
	plain.adapt(6_000, true)
	if wrapped.large || !plain.large {
		t.Errorf("large behind a message: wrapped %v, plain %v", wrapped.large, plain.large)
	}
	for range calmReads {
		plain.adapt(100, true)
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
	c := &conn{nc: ours}
	timeout := &net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}
	switch {
	case !c.goesOn(1, timeout):
		t.Error("stops although there was progress")
	case c.goesOn(0, timeout):
		t.Error("goes on without progress")
	case c.goesOn(1, net.ErrClosed):
		t.Error("goes on although the socket is closed")
	}
	c.end.closing.Store(true)
	if c.goesOn(1, timeout) {
		t.Error("goes on although the time for our close is up")
	}
	if c = (&conn{nc: struct{ net.Conn }{ours}}); c.goesOn(1, timeout) {
		t.Error("goes on with a wrapper, which may not be able to")
	}
}
