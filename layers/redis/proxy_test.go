package redis_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy is between drivers and a server. It passes on what clients send after a delay.
type proxy struct {
	listener net.Listener
	to       string
	delay    atomic.Int64 // nanoseconds
	running  sync.WaitGroup

	mu struct {
		sync.Mutex
		open map[net.Conn]struct{} // nil while the proxy is cut
	}
}

// newProxy returns a proxy to the server at an address. It is closed when the test ends, after
// what the test has opened later.
func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to}
	p.mu.open = make(map[net.Conn]struct{})
	p.running.Go(p.accept)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		p.running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "redis://" + p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(c) })
	}
}

// cut closes all connections and opens no others, or ends that.
func (p *proxy) cut(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.mu.open {
		_ = c.Close()
	}
	p.mu.open = nil
	if !on {
		p.mu.open = make(map[net.Conn]struct{})
	}
}

// note notes that a connection has been opened. It returns false if the proxy is cut.
func (p *proxy) note(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.open == nil {
		return false
	}
	p.mu.open[c] = struct{}{}
	return true
}

func (p *proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.open, c)
}

// serve connects a client with the server until one of them closes the connection.
func (p *proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	if !p.note(client) {
		return
	}
	defer p.forget(client)
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.to)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(struct{ io.Writer }{client}, server) // not by splice, whose pipes stay
		_ = client.Close()
	})
	p.forward(server, client)
	_ = server.Close()
	both.Wait()
}

// chunk is what a client has sent at once.
type chunk struct {
	due  time.Time
	data []byte
}

// forward passes on what the client sends, each chunk after the delay.
func (p *proxy) forward(server io.Writer, client io.Reader) {
	chunks := make(chan chunk, 1024)
	var writing sync.WaitGroup
	writing.Go(func() {
		for c := range chunks {
			<-time.After(time.Until(c.due))
			if _, err := server.Write(c.data); err != nil && !errors.Is(err, net.ErrClosed) {
				continue // the client's side ends too
			}
		}
	})
	defer writing.Wait()
	defer close(chunks)
	for {
		b := make([]byte, 32<<10)
		n, err := client.Read(b)
		if n > 0 {
			chunks <- chunk{time.Now().Add(time.Duration(p.delay.Load())), b[:n]}
		}
		if err != nil {
			return
		}
	}
}
