package engine

import (
	"net"
	"syscall"
)

// unsentLow is how many bytes may wait in the kernel of a connection that sends messages
// with a key, before more are written.
const unsentLow = 16 << 10

// pacer lets a writer wait until the kernel has little left to send, so that messages with
// a key wait in the queue, where they can be replaced, and not in the socket's buffer,
// which may hold megabytes. A connection has one from its first message with a key on.
// Only the owner of the right to write uses it.
type pacer struct {
	raw      syscall.RawConn
	writable func(fd uintptr) bool
}

// newPacer returns nil if the kernel cannot be asked: nc is not a TCP connection and does
// not show one that it wraps, or the platform has no such option.
func newPacer(nc net.Conn) *pacer {
	raw := rawConnOf(nc)
	if raw == nil {
		return nil
	}
	err := syscall.EINVAL
	if raw.Control(func(fd uintptr) { err = limitUnsent(fd, unsentLow) }) != nil || err != 0 {
		return nil
	}
	return &pacer{raw: raw, writable: isWritable}
}

// rawConnOf returns the socket of nc, or of the connection that it wraps.
func rawConnOf(nc net.Conn) syscall.RawConn {
	const deepest = 10 // a wrapper of itself has no end
	for range deepest {
		switch c := nc.(type) {
		case *net.TCPConn:
			raw, err := c.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		case interface{ NetConn() net.Conn }: // as *tls.Conn
			nc = c.NetConn()
		default:
			return nil
		}
	}
	return nil
}

// wait returns when the kernel has little left to send, or with an error at the deadline
// of writes.
func (p *pacer) wait() error {
	err := p.raw.Write(p.writable)
	if isTimeout(err) {
		ready := false
		if p.raw.Control(func(fd uintptr) { ready = p.writable(fd) }) == nil && ready {
			return nil
		}
	}
	return err
}

// pace gives the connection a pacer. One that cannot have any gets an empty one.
func (t *thread) pace(*Conn) {
	if t.pacer.Load() != nil {
		return
	}
	p := newPacer(t.nc)
	if p == nil {
		p = &pacer{}
	}
	t.pacer.CompareAndSwap(nil, p)
}

// paced reports whether the connection has a pacer.
func (t *thread) paced() bool {
	p := t.pacer.Load()
	return p != nil && p.raw != nil
}

// awaitKernel waits until the kernel has little left to send, if the connection is paced
// and a frame is to be started. The caller owns the right to write.
func (t *thread) awaitKernel() {
	if !t.paced() || !t.conn.out.between() {
		return
	}
	t.startWrite()
	err := t.pacer.Load().wait()
	t.endWrite()
	if err != nil {
		t.conn.fail(err)
	}
}
