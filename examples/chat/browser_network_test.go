package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a proxy between a browser and the program. It can stall in either direction,
// and break connections.
type wire struct {
	Addr string // the address for the browser

	to       string
	listener net.Listener
	asks     valve // from the browser
	answers  valve
	over     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]chan struct{} // closed to end the connection
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

// join copies in both directions until one side closes or the wire is cut.
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

// cut breaks all connections. Bytes in transit are lost.
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

// valve stalls one direction while it is closed.
type valve struct {
	mu     sync.Mutex
	opened chan struct{} // closed while the valve is open
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
