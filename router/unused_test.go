package router_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// connStates counts the calls of http.Server.ConnState.
type connStates struct {
	mu     sync.Mutex
	counts map[http.ConnState]int
	opened chan struct{}
	closed chan struct{}
}

func (s *connStates) add(_ net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[state]++
	switch state { //nolint:exhaustive // the others are only counted
	case http.StateNew:
		s.opened <- struct{}{}
	case http.StateClosed:
		s.closed <- struct{}{}
	}
}

func TestServeClosesUnusedConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testServeClosesUnusedConnections)
}

func testServeClosesUnusedConnections(t *testing.T) {
	s := newSite()
	states := &connStates{counts: map[http.ConnState]int{}, opened: make(chan struct{}, 2), closed: make(chan struct{}, 2)}
	l, served := &websockettest.Listener{}, make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	srv := &http.Server{ReadHeaderTimeout: time.Minute, ConnState: states.add}
	go func() { served <- router.Serve(ctx, l, srv, s.router, 30*time.Second) }()
	unused, used := l.Dial(), l.Dial()
	testkit.Await(t, states.opened, "a connection")
	testkit.Await(t, states.opened, "another connection")
	if _, err := io.WriteString(used, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(used), nil)
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Fatalf("the request got %v (%v)", resp, err)
	}
	_ = resp.Body.Close()

	start := time.Now()
	stop()
	if err := testkit.Await(t, served, "Serve"); err != nil {
		t.Errorf("Serve returned %v, want nil", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("Serve waited %v for an unused connection", took)
	}
	if n, err := unused.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the unused connection read %d bytes (%v), want io.EOF", n, err)
	}
	testkit.Await(t, states.closed, "the close of a connection")
	testkit.Await(t, states.closed, "the close of the other")
	states.mu.Lock()
	defer states.mu.Unlock()
	if states.counts[http.StateNew] != 2 || states.counts[http.StateActive] != 1 || states.counts[http.StateClosed] != 2 {
		t.Errorf("the program's ConnState was called with %v", states.counts)
	}
}
