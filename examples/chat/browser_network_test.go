package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is what is between a browser and the program. It can stall, in one
// direction or both, and break.
type wire struct {
	Addr string // where the browser finds the program

	to       string
	listener net.Listener
	asks     valve // what the browser sends
	answers  valve
	over     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]chan struct{} // closed when the connection is to end
}

func startWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &wire{Addr: l.Addr().String(), to: to, listener: l, conns: make(map[net.Conn]chan struct{})}
	n.asks.open()
	n.answers.open()
	n.over.Go(n.accept)
	t.Cleanup(func() {
		l.Close()
		n.cut()
		n.over.Wait()
	})
	return n
}

func (n *wire) accept() {
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			return
		}
		ended := make(chan struct{})
		n.mu.Lock()
		n.conns[conn] = ended
		n.mu.Unlock()
		n.over.Go(func() { n.join(conn, ended) })
	}
}

// join carries what comes until one side ends, or the connection is cut.
func (n *wire) join(conn net.Conn, ended chan struct{}) {
	defer n.forget(conn)
	program, err := net.Dial("tcp", n.to)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { n.asks.carry(program, conn, ended); program.Close() })
	both.Go(func() { n.answers.carry(conn, program, ended); n.forget(conn); program.Close() })
	both.Wait()
}

func (n *wire) forget(conn net.Conn) {
	conn.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	if ended, there := n.conns[conn]; there {
		delete(n.conns, conn)
		close(ended)
	}
}

// cut breaks all connections. What has not been carried is lost.
func (n *wire) cut() {
	n.mu.Lock()
	var all []net.Conn
	for conn := range n.conns {
		all = append(all, conn)
	}
	n.mu.Unlock()
	for _, conn := range all {
		n.forget(conn)
	}
}

// valve lets through, or does not.
type valve struct {
	mu     sync.Mutex
	opened chan struct{} // closed while it is open
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.opened == nil {
		v.opened = make(chan struct{})
	}
	close(v.opened)
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opened = make(chan struct{})
}

func (v *valve) wait() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opened
}

func (v *valve) carry(to io.Writer, from io.Reader, ended <-chan struct{}) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		select {
		case <-v.wait():
		case <-ended:
			return
		}
		if _, failed := to.Write(b[:n]); failed != nil || err != nil {
			return
		}
	}
}
