package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network without a network, for net/http in fake time.
type pipes struct {
	conns chan net.Conn
	over  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.over)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// request sends a request for target.
func (p *pipes) request(t *testing.T, target string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	p.conns <- server
	if _, err := io.WriteString(client, "GET "+target+" HTTP/1.1\r\nHost: chat\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return client
}

// serve has chat behind net/http until the end of the test.
func serve(t *testing.T, chat *longPoll, o *http.Server) *pipes {
	t.Helper()
	network := &pipes{conns: make(chan net.Conn), over: make(chan struct{})}
	o.Handler = chat
	served := make(chan error, 1)
	go func() { served <- o.Serve(network) }()
	t.Cleanup(func() {
		o.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return network
}

func read(t *testing.T, client net.Conn) string {
	t.Helper()
	a, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return string(body)
}

// TestServerTimeouts: a poll has its time also where requests have less.
func TestServerTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := serve(t, newLongPoll(alone(), nil), &http.Server{ReadTimeout: time.Second, WriteTimeout: time.Second})
		ann := network.request(t, get("ann"))
		defer ann.Close()
		if got := read(t, ann); got != "[]\n" {
			t.Errorf("got %s, want an empty list", got)
		}
	})
}

// TestHangUp: what comes after a client has hung up is for its next poll.
func TestHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		network := serve(t, chat, &http.Server{})
		network.request(t, get("ann")).Close()
		synctest.Wait()
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
		wants(t, chat, get("ann"), http.StatusOK, `["ann: hello"]`)
	})
}

// TestDeaf: a client that does not read its answer has so long to do it; then it
// is for the next poll.
func TestDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		network := serve(t, chat, &http.Server{})
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
		start := time.Now()
		deaf := network.request(t, get("ann"))
		defer deaf.Close()
		<-time.After(1) // the next poll waits a little longer than the answer
		wants(t, chat, get("ann"), http.StatusOK, `["ann: hello"]`)
		if took := time.Since(start); took != wait {
			t.Errorf("it took %v, want %v", took, wait)
		}
	})
}
