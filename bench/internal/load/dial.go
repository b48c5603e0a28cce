//go:build linux

package load

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wye-go/wye/bench/internal/frame"
)

// handshake is how long one connection may take to open.
const handshake = 10 * time.Second

const request = "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n"

// dialers is how many connections are opened at a time, so that what opening
// them costs the server is mostly work and not waking up.
const dialers = 32

// dial opens n more connections and hands them to the loop. path is relative to
// the URL and not used for raw bytes.
func (cl *client) dial(ctx context.Context, n int, path string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := make([]*conn, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(dialers, n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				c, err := cl.dialOne(ctx, path, uint32(len(cl.conns)+i))
				if err != nil {
					cancel(fmt.Errorf("opening connection %d of %d: %w", i+1, n, err))
					return
				}
				conns[i] = c
			}
		})
	}
	all.Wait()
	return errors.Join(context.Cause(ctx), cl.adopt(conns))
}

// adopt hands open connections to the loop; nil ones have failed to open.
func (cl *client) adopt(conns []*conn) error {
	var errs []error
	for _, c := range conns {
		if c == nil {
			continue
		}
		cl.conns = append(cl.conns, c)
		errs = append(errs, cl.watch(c))
	}
	return errors.Join(errs...)
}

// watch has the loop listen to a connection.
func (cl *client) watch(c *conn) error {
	for c.fd >= len(cl.byFD) {
		cl.byFD = append(cl.byFD, nil)
	}
	cl.byFD[c.fd] = c
	return cl.poll.Add(c.fd)
}

func (cl *client) dialOne(ctx context.Context, path string, id uint32) (*conn, error) {
	d := net.Dialer{Timeout: handshake, KeepAlive: -1}
	tcp, err := d.DialContext(ctx, "tcp4", cl.addrOf(id))
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	c := &conn{id: id}
	if !cl.raw {
		if err := cl.upgradeOne(tcp, path, c); err != nil {
			return nil, err
		}
	}
	if c.fd, err = dup(tcp); err != nil {
		return nil, err
	}
	return c, nil
}

// upgradeOne does the client's half of a handshake.
func (cl *client) upgradeOne(tcp net.Conn, path string, c *conn) error {
	if err := tcp.SetDeadline(time.Now().Add(handshake)); err != nil {
		return err
	}
	offer := ""
	if cl.z != nil {
		offer = extensionsField + deflateOffer + "\r\n"
	}
	head, rest, err := upgrade(tcp, cl.prefix+path, c.id, offer)
	if err != nil {
		return err
	}
	c.part = rest
	if cl.z != nil {
		c.takeover, err = deflates(head)
	}
	return err
}

// newRequest returns the opening handshake of connection id and its key. fields are more
// header lines.
func newRequest(path, host string, id uint32, fields string) (out []byte, key string) {
	key = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%016x", id))
	return fmt.Appendf(nil, request, path, host, key, fields), key
}

// upgrade does the client's half of the handshake and returns the head of the answer, and
// what the server has sent after it.
func upgrade(tcp net.Conn, path string, id uint32, fields string) (head string, rest []byte, err error) {
	out, key := newRequest(path, tcp.RemoteAddr().String(), id, fields)
	if _, err := tcp.Write(out); err != nil {
		return "", nil, err
	}
	var b []byte
	buf := make([]byte, 1024)
	for {
		n, err := tcp.Read(buf)
		b = append(b, buf[:n]...)
		if head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n")); ok {
			return string(head), rest, accepted(string(head), key)
		}
		if err != nil {
			return "", nil, fmt.Errorf("answer to the upgrade: %w", err)
		}
	}
}

// accepted tells whether the head of a response upgrades the connection.
func accepted(head, key string) error {
	status, fields, _ := strings.Cut(head, "\r\n")
	want := string(frame.AppendAccept(nil, []byte(key)))
	if !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		return fmt.Errorf("the server answered %q", status)
	}
	for field := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(field, ":")
		if strings.EqualFold(name, "Sec-WebSocket-Accept") && strings.TrimSpace(value) == want {
			return nil
		}
	}
	return errors.New("the server's Sec-WebSocket-Accept is wrong or missing")
}

// dup returns the connection's descriptor, free of Go's own poller.
func dup(tcp net.Conn) (fd int, err error) {
	sc, ok := tcp.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("%T has no descriptor", tcp)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	var dupErr error
	err = raw.Control(func(s uintptr) {
		fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(err, dupErr)
}
