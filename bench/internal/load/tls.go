//go:build linux

package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/bench/internal/frame"
)

// runTLS does an Idle with Hello over TLS, with a net.Conn for each connection: what is
// measured is the server's memory.
func runTLS(ctx context.Context, cfg Config, t target) (r Result, err error) {
	run := run{cfg: cfg, cl: &client{target: t, born: time.Now()}}
	var began usage
	if cfg.PID != 0 {
		if run.before, err = cfg.memory(ctx); err != nil {
			return r, err
		}
		if began, err = readUsage(cfg.PID); err != nil {
			return r, err
		}
	}
	conns, err := dialTLS(ctx, cfg, t)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close() // the run is over
			}
		}
	}()
	if err != nil {
		return r, err
	}
	if cfg.PID != 0 {
		opened, err := readUsage(cfg.PID)
		if err != nil {
			return r, err
		}
		run.opened = opened.since(began)
	}
	err = run.rest(ctx)
	return run.result, err
}

// rest measures what the server uses while the connections do nothing.
func (r *run) rest(ctx context.Context) error {
	if err := wait(ctx, r.cfg.Warmup); err != nil {
		return err
	}
	server, client, err := r.usages()
	if err != nil {
		return err
	}
	if err := wait(ctx, r.cfg.Duration); err != nil {
		return err
	}
	server2, client2, err := r.usages()
	if err != nil {
		return err
	}
	r.fill(r.cfg.Duration.Seconds(), client2.since(client))
	if r.cfg.PID == 0 {
		return nil
	}
	return r.fillServer(ctx, server2.since(server))
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dialTLS opens all connections, and has each of them say hello.
func dialTLS(ctx context.Context, cfg Config, t target) ([]net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := make([]net.Conn, cfg.Conns)
	hello := newMold(max(cfg.Size, helloSize), 1, cfg.Data, false)
	var mu sync.Mutex // guards hello
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(dialers, cfg.Conns) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < cfg.Conns && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				mu.Lock()
				out := append([]byte(nil), hello.make(uint32(i), 0, 1)...)
				mu.Unlock()
				c, err := openTLS(ctx, t, cfg.path(), uint32(i), out)
				if err != nil {
					cancel(fmt.Errorf("opening connection %d of %d: %w", i+1, cfg.Conns, err))
					return
				}
				conns[i] = c
			}
		})
	}
	all.Wait()
	return conns, context.Cause(ctx)
}

// openTLS connects, upgrades, and sends a message, whose answer must be as long.
func openTLS(ctx context.Context, t target, path string, id uint32, hello []byte) (_ net.Conn, err error) {
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: handshake, KeepAlive: -1},
		Config:    &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the server makes its certificate when it starts
	}
	c, err := d.DialContext(ctx, "tcp4", t.addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := c.SetDeadline(time.Now().Add(handshake)); err != nil {
		return nil, err
	}
	_, rest, err := upgrade(c, t.prefix+path, id, "")
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(hello); err != nil {
		return nil, err
	}
	h, _, err := frame.Parse(hello)
	if err != nil {
		return nil, err
	}
	answer := make([]byte, frame.HeaderLen(h.Payload)+h.Payload-len(rest))
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, fmt.Errorf("answer to the first message: %w", err)
	}
	return c, c.SetDeadline(time.Time{})
}
