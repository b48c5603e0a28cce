package consumer

import (
	"context"
	"errors"
)

// Join makes the connection a member of groups. Joining a group twice has no effect. The
// connection leaves its groups by itself, after Disconnect has returned or when it is
// refused.
//
// Join waits for the layer's driver, but delays nothing else of the connection. With the
// ctx of a callback, the wait ends when the connection closes. With another ctx, Join may
// still wait when the connection has closed; the connection leaves the group afterwards.
//
// On an error the connection has joined the groups before the one that failed. Errors:
// [ErrInvalidName]; [ErrTooMany] if the connection is in as many groups as
// Limits.Groups allows; the error of ctx or of the driver; [ErrClosed] if the connection
// is over, or is over before Join returns.
func (c *Conn) Join(ctx context.Context, groups ...string) error {
	for _, g := range groups {
		if err := c.joinGroup(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) joinGroup(ctx context.Context, group string) error {
	e, joined, err := c.startJoin(group)
	if err != nil {
		return err
	}
	if !joined {
		err = c.app.layer.Join(ctx, group, (*member)(c))
	}
	return c.finishJoin(e, err)
}

// startJoin adds group to the groups that the connection leaves when it is over. joined
// reports whether the connection is a member already.
func (c *Conn) startJoin(group string) (e *groupEntry, joined bool, err error) {
	if err := c.deferLeaveAll(); err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.leftAll {
		return nil, false, ErrClosed
	}
	e, err = c.mu.groups.startCall(group, c.conn.MayJoin)
	return e, err == nil && e.joined, err
}

// finishJoin makes the layer agree with the connection's groups, because the connection
// may have left the group before the layer joined it.
func (c *Conn) finishJoin(e *groupEntry, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	group := e.group // finishCall may reuse e
	if c.mu.groups.finishCall(e, err) {
		c.app.layer.Leave(group, (*member)(c))
	}
	if c.mu.leftAll {
		return errors.Join(err, ErrClosed)
	}
	return err
}

// Leave removes the connection from groups. It has no effect for a group that the
// connection is not in.
func (c *Conn) Leave(groups ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range groups {
		if c.mu.groups.remove(c.mu.groups.find(g)) {
			c.app.layer.Leave(g, (*member)(c))
		}
	}
}

// Groups returns the groups that the connection is in, in the order in which it joined
// them.
func (c *Conn) Groups() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.groups.joined()
}

// errNoChannel means that a random channel name was already bound.
var errNoChannel = errors.New("wye: Channel: no channel name could be bound")

// Channel returns the channel name of the connection. [layers.Layer.Send] with this name
// reaches this connection and no other. The first call makes the name, and later calls
// return the same one. When the connection is over, sends to the name reach no
// connection.
func (c *Conn) Channel() string {
	_ = c.deferLeaveAll() //nolint:errcheck // if the connection is over, the name is not bound
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.mu.extras()
	if x.channel != "" {
		return x.channel
	}
	x.channel = c.app.layer.NewChannel()
	if c.mu.leftAll {
		return x.channel
	}
	unbind, err := c.app.layer.Bind(x.channel, (*member)(c))
	if err != nil {
		panic(errors.Join(errNoChannel, err)) // 130 random bits were not unique
	}
	x.unbind = unbind
	return x.channel
}
