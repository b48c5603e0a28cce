//go:build linux

package load

import (
	"bytes"
	"fmt"
)

// echo has each of its connections keep some messages under way.
type echo struct {
	cl    *client
	mold  *mold
	depth int
	limit uint32 // messages per connection, 0 for any number
	over  bool
	out   int // messages under way on all connections
}

func (e *echo) start() error {
	for _, c := range e.cl.conns {
		c.at = make([]int64, e.depth)
		if err := e.drained(c); err != nil {
			return err
		}
	}
	return nil
}

func (e *echo) message(c *conn, payload []byte) error {
	if err := e.mold.check(payload, c.id, c.seen); err != nil {
		return err
	}
	e.cl.counts.Add(e.cl.now - c.at[c.seen%uint32(e.depth)])
	c.seen++
	e.out--
	return nil
}

// drained replaces what has been answered, in one write.
func (e *echo) drained(c *conn) error {
	if e.over || e.limit > 0 && c.sent == e.limit {
		return nil
	}
	n := e.depth - int(c.sent-c.seen)
	if n == 0 {
		return nil
	}
	frames := e.mold.make(c.id, c.sent, n)
	for range n {
		c.at[c.sent%uint32(e.depth)] = e.cl.now
		c.sent++
	}
	e.out += n
	return c.send(frames)
}

func (e *echo) stop()     { e.over = true }
func (e *echo) owed() int { return e.out }

// greeters each send a greeting and receive its answer.
type greeters struct {
	cl    *client
	frame []byte
	out   int
}

func (g *greeters) start() error {
	for _, c := range g.cl.conns {
		if err := c.send(g.frame); err != nil {
			return err
		}
	}
	return nil
}

func (g *greeters) message(_ *conn, payload []byte) error {
	if !bytes.HasPrefix(payload, []byte(g.cl.answer)) {
		return unexpected(payload)
	}
	g.out--
	return nil
}

func (*greeters) drained(*conn) error { return nil }
func (*greeters) stop()               {}
func (g *greeters) owed() int         { return g.out }

// idle only holds its connections.
type idle struct{}

func (idle) start() error { return nil }
func (idle) message(c *conn, payload []byte) error {
	return unexpected(payload)
}
func (idle) drained(*conn) error { return nil }
func (idle) stop()               {}
func (idle) owed() int           { return 0 }

func unexpected(payload []byte) error {
	return fmt.Errorf("a message that nobody has sent: %.40q", payload)
}
