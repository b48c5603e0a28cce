package consumer

import (
	"context"
	"errors"
	"slices"

	"github.com/wye-go/wye/protocol"
)

// membership is where a connection can be found: its groups and channel name.
// Its zero value is nowhere, and costs nothing more.
type membership struct {
	groups  []string
	channel string
	unbind  func()
	present *presence // nil if it never was
	leaving bool      // registered to leave everything at the end
	gone    bool      // has left everything
}

// Join adds the connection to groups; being there already is no error. It
// leaves them by itself after Disconnect, or when it is refused. On an error it
// has joined the groups before the one that failed. Errors: an invalid name,
// ctx's, protocol.ErrClosed once the connection is over.
//
// There is no limit on groups in this version: do not let a peer choose how
// many.
func (c *Conn) Join(ctx context.Context, groups ...string) error {
	for _, g := range groups {
		if err := c.join(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) join(ctx context.Context, group string) error {
	if err := c.leaveAtEnd(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.gone {
		return protocol.ErrClosed
	}
	if slices.Contains(c.mu.groups, group) {
		return nil
	}
	if err := c.layer.Join(ctx, group, (*member)(c)); err != nil {
		return err
	}
	c.mu.groups = append(c.mu.groups, group)
	return nil
}

// leaveAtEnd makes sure, once, that the end of the connection leaves everything.
func (c *Conn) leaveAtEnd() error {
	c.mu.Lock()
	first, gone := !c.mu.leaving, c.mu.gone
	c.mu.leaving = true
	c.mu.Unlock()
	if gone {
		return protocol.ErrClosed
	}
	if first {
		c.Defer(c.leaveAll)
	}
	return nil
}

// Leave takes the connection out of groups; not being there is no error.
func (c *Conn) Leave(groups ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range groups {
		if i := slices.Index(c.mu.groups, g); i >= 0 {
			c.layer.Leave(g, (*member)(c))
			c.mu.groups = slices.Delete(c.mu.groups, i, i+1)
		}
	}
}

// Groups returns the groups that the connection is in, in the order of joining.
func (c *Conn) Groups() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mu.groups)
}

// errNoChannel cannot happen with names that are random.
var errNoChannel = errors.New("wye: no channel name could be bound")

// Channel returns the name under which Layer.Send reaches this connection and no
// other. It is made by the first call, so that connections that nobody addresses
// cost nothing, and stays the same. Once the connection is over the name reaches
// nobody.
func (c *Conn) Channel() string {
	_ = c.leaveAtEnd() //nolint:errcheck // over: the name will reach nobody
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.channel != "" {
		return c.mu.channel
	}
	c.mu.channel = c.layer.NewChannel()
	if c.mu.gone {
		return c.mu.channel
	}
	unbind, err := c.layer.Bind(c.mu.channel, (*member)(c))
	if err != nil {
		panic(errors.Join(errNoChannel, err)) // 130 random bits were not unique
	}
	c.mu.unbind = unbind
	return c.mu.channel
}

// leaveAll takes the connection out of everything, for good.
func (c *Conn) leaveAll() {
	if p := c.leaveGroups(); len(p.groups) > 0 {
		c.exit(c.ctx, p.id, p.groups...) // without the lock: members are told
	}
}

// leaveGroups returns where the connection has still been present.
func (c *Conn) leaveGroups() (left presence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.gone = true
	for _, g := range c.mu.groups {
		c.layer.Leave(g, (*member)(c))
	}
	if c.mu.unbind != nil {
		c.mu.unbind()
	}
	c.mu.groups, c.mu.unbind = nil, nil
	if p := c.mu.present; p != nil {
		left = *p
		p.groups = nil
	}
	return left
}
