package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// dialFunc opens a connection for rueidis.
type dialFunc func(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error)

// conns are the open connections of a client. rueidis asks a server before it closes a
// connection, and some servers are silent: cut closes all of them at once.
type conns struct {
	dialer dialFunc
	ctx    context.Context //nolint:containedctx // of the dials; cut ends it
	cancel context.CancelFunc

	mu struct {
		sync.Mutex
		open map[*conn]struct{} // nil after cut
	}
}

// conn is a connection that is closed once.
type conn struct {
	net.Conn

	of *conns
	io io.ReadWriter // of Conn
}

// newConns returns conns that dial as o says. They are cut when ctx ends.
func newConns(ctx context.Context, o *rueidis.ClientOption) *conns {
	c := &conns{dialer: dial}
	if o.DialCtxFn != nil {
		c.dialer = o.DialCtxFn
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.mu.open = make(map[*conn]struct{})
	context.AfterFunc(c.ctx, c.closeAll)
	return c
}

// dial is how rueidis dials if it is not told otherwise.
func dial(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	if t != nil {
		return (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", addr)
	}
	return d.DialContext(ctx, "tcp", addr)
}

// dial opens a connection.
func (c *conns) dial(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	stop := context.AfterFunc(c.ctx, cancel)
	defer stop()
	opened, err := c.dialer(ctx, addr, d, t)
	if err != nil {
		return nil, err
	}
	own := &conn{Conn: opened, of: c, io: socketIO(opened)}
	if !c.add(own) {
		return nil, errors.Join(errCut, opened.Close())
	}
	return own, nil
}

// dialTimeout bounds the opening of a connection, TLS included.
const dialTimeout = 5 * time.Second

var errCut = errors.New("the connections have been closed meanwhile")

func (c *conns) add(own *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.open == nil {
		return false
	}
	c.mu.open[own] = struct{}{}
	return true
}

// cut closes all connections, and those that are being opened.
func (c *conns) cut() {
	c.cancel()
	c.closeAll()
}

func (c *conns) closeAll() {
	c.mu.Lock()
	open := c.mu.open
	c.mu.open = nil
	c.mu.Unlock()
	for own := range open {
		closing := own.Conn
		if secure, ok := closing.(interface{ NetConn() net.Conn }); ok {
			closing = secure.NetConn() // a TLS connection would write first
		}
		_ = closing.Close() //nolint:errcheck // the connection is of no use any longer
	}
}

// Write writes what rueidis has collected. rueidis writes the first command at once, because the
// goroutine that writes is woken before other goroutines that are about to publish. Letting
// these run first costs a publisher that is alone 0.2 us, and makes half as many writes of
// many publishers, here and in Redis. MaxFlushDelay would do so too, but it sleeps, for a
// millisecond if the process is idle.
func (c *conn) Write(b []byte) (int, error) {
	runtime.Gosched()
	return c.io.Write(b)
}

// Read reads what the server has sent.
func (c *conn) Read(b []byte) (int, error) { return c.io.Read(b) }

// Close closes the connection.
func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.mu.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
