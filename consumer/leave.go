package consumer

import (
	"context"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
)

// exitTimeout is how long a closed connection may take to tell the driver that its
// presence has ended.
const exitTimeout = 10 * time.Second

// deferLeaveAll registers leaveAll with the session, once. It returns ErrClosed if the
// connection is over.
func (c *Conn) deferLeaveAll() error {
	c.mu.Lock()
	first, over := !c.mu.leaveAdded, c.mu.leftAll
	c.mu.leaveAdded = true
	c.mu.Unlock()
	if over {
		return ErrClosed
	}
	if first {
		plumbing.DeferLeaver(c.conn, (*member)(c))
	}
	return nil
}

// leaveAll removes the connection from its groups, its channel name and its presences.
// It runs when the connection is over.
func (c *Conn) leaveAll() {
	if id, present := c.leaveGroups(); len(present) > 0 {
		c.exitGroups(c.Context(), id, present, c.lingerTime()) // without the lock: the driver and members are called
	}
}

// leaveGroups does the part of leaveAll that needs the lock. It returns the groups that
// the connection was present in, and the ID of its presence.
func (c *Conn) leaveGroups() (id string, present []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.leftAll = true
	for _, group := range c.mu.groups.removeAll() {
		c.app.layer.Leave(group, (*member)(c))
	}
	x := c.mu.extra
	if x == nil {
		return "", nil
	}
	if x.unbind != nil {
		x.unbind()
		x.unbind = nil
	}
	x.recorded = nil
	if x.presence != nil {
		id, present = x.presence.id, x.presence.groups.removeAll()
	}
	return id, present
}

// lingerTime returns how long presences stay after the connection has closed. It is 0
// for a connection that was refused.
func (c *Conn) lingerTime() time.Duration {
	c.mu.Lock()
	accepted := c.mu.disconnected
	c.mu.Unlock()
	if !accepted {
		return 0
	}
	return c.app.linger
}

// exitGroups ends the presence in groups, even if ctx is done. It ignores errors: after
// one, the driver ends the presence by itself.
func (c *Conn) exitGroups(ctx context.Context, id string, groups []string, linger time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exitTimeout)
	defer cancel()
	for _, group := range groups {
		_ = c.app.layer.ExitAfter(ctx, group, id, linger) //nolint:errcheck // see above
	}
}
