package consumer

import (
	"context"
	"time"
)

// exitTimeout is how long a closed connection may take to tell the driver that its
// presence has ended.
const exitTimeout = 10 * time.Second

// deferLeaveAll registers leaveAll with Defer, once. It returns ErrClosed if the
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
		c.Defer(c.leaveAll)
	}
	return nil
}

// leaveAll removes the connection from its groups, its channel name and its presences.
// It runs when the connection is over.
func (c *Conn) leaveAll() {
	if id, present := c.leaveGroups(); len(present) > 0 {
		c.exitGroups(c.ctx, id, present, c.lingerTime()) // without the lock: the driver and members are called
	}
}

// leaveGroups does the part of leaveAll that needs the lock. It returns the groups that
// the connection was present in, and the ID of its presence.
func (c *Conn) leaveGroups() (id string, present []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.leftAll = true
	for _, group := range c.mu.groups.removeAll() {
		c.layer.Leave(group, (*member)(c))
	}
	if ch := c.mu.channel; ch != nil && ch.unbind != nil {
		ch.unbind()
		ch.unbind = nil
	}
	c.mu.recorded = nil
	if p := c.mu.presence; p != nil {
		id, present = p.id, p.groups.removeAll()
	}
	return id, present
}

// lingerTime returns how long presences stay after the connection has closed. It is 0
// for a connection that was refused.
func (c *Conn) lingerTime() time.Duration {
	if !c.disconnected {
		return 0
	}
	return c.events.linger()
}

// exitGroups ends the presence in groups, even if ctx is done. It ignores errors: after
// one, the driver ends the presence by itself.
func (c *Conn) exitGroups(ctx context.Context, id string, groups []string, linger time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exitTimeout)
	defer cancel()
	for _, group := range groups {
		_ = c.layer.ExitAfter(ctx, group, id, linger) //nolint:errcheck // see above
	}
}
