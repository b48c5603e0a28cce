package router_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// states are what http.Server tells of its connections.
type states struct {
	mu   sync.Mutex
	seen map[http.ConnState]int
	some chan struct{} // a new one
	end  chan struct{} // one was closed
}

func (s *states) note(_ net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[state]++
	switch state { //nolint:exhaustive // the others are only counted
	case http.StateNew:
		s.some <- struct{}{}
	case http.StateClosed:
		s.end <- struct{}{}
	}
}

func TestServeDoesNotWaitForConnectionsThatSayNothing(t *testing.T) {
	t.Parallel()
	s := newSite()
	seen := &states{seen: map[http.ConnState]int{}, some: make(chan struct{}, 2), end: make(chan struct{}, 2)}
	r := serve(t, s, &http.Server{ReadHeaderTimeout: time.Minute, ConnState: seen.note}, 30*time.Second)
	mute, heard := raw(t, r.addr), raw(t, r.addr)
	await(t, seen.some, "a connection")
	await(t, seen.some, "another connection")
	if _, err := io.WriteString(heard, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(heard), nil)
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Fatalf("the request got %v (%v)", resp, err)
	}
	_ = resp.Body.Close()

	start := time.Now()
	r.stop()
	if err := await(t, r.err, "Serve"); err != nil {
		t.Errorf("Serve returned %v, want a clean end", err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("Serve has waited %v for a connection that says nothing", took)
	}
	if n, err := mute.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection that says nothing read %d bytes (%v), want the end", n, err)
	}
	await(t, seen.end, "the end of a connection")
	await(t, seen.end, "the end of the other")
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if seen.seen[http.StateNew] != 2 || seen.seen[http.StateActive] != 1 || seen.seen[http.StateClosed] != 2 {
		t.Errorf("the server's own ConnState was told %v", seen.seen)
	}
}

// raw is a connection on which nothing has been said.
func raw(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}
