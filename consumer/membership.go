package consumer

import (
	"context"
	"errors"

	"github.com/wye-go/wye/protocol"
)

// membership is where a connection can be found: its groups and channel name.
// Its zero value is nowhere, and costs nothing more.
type membership struct {
	groups   places
	channel  *channel  // nil until it is asked for
	present  *presence // nil if it never was
	recorded *places   // the groups that it has recorded to; nil if there are none
	leaving  bool      // registered to leave everything at the end
	gone     bool      // has left everything
}

// channel is the name of one connection.
type channel struct {
	name   string
	unbind func() // nil if the connection was over when it was made
}

// Join adds the connection to groups; being there already is no error. It
// leaves them by itself after Disconnect, or when it is refused. On an error it
// has joined the groups before the one that failed. Errors: protocol.ErrInvalidName,
// protocol.ErrTooManyGroups if it is in Limits.Groups of them already, ctx's, the
// driver's, protocol.ErrClosed once the connection is over, also if that happens
// meanwhile.
//
// While it waits for a driver it holds up nothing else of the connection. A callback's
// ctx ends with the connection, and so does a wait with it; one with another ctx goes
// on, beside the end of the connection, and leaves again.
func (c *Conn) Join(ctx context.Context, groups ...string) error {
	for _, g := range groups {
		if err := c.join(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) join(ctx context.Context, group string) error {
	p, joined, err := c.beginJoin(group)
	if err != nil {
		return err
	}
	if !joined {
		err = c.layer.Join(ctx, group, (*member)(c))
	}
	return c.endJoin(p, err)
}

// beginJoin notes the group, so that the end of the connection leaves it. joined
// reports whether the connection is in it already.
func (c *Conn) beginJoin(group string) (p *place, joined bool, err error) {
	if err := c.leaveAtEnd(); err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.gone {
		return nil, false, protocol.ErrClosed
	}
	p, err = c.mu.groups.begin(group, c.conn.MayJoin)
	return p, err == nil && p.taken, err
}

// endJoin sees to it that the connection is where it is noted to be, because it may
// have left in between.
func (c *Conn) endJoin(p *place, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.groups.end(p, err) {
		c.layer.Leave(p.group, (*member)(c))
	}
	if c.mu.gone {
		return errors.Join(err, protocol.ErrClosed)
	}
	return err
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
		if c.mu.groups.remove(c.mu.groups.find(g)) {
			c.layer.Leave(g, (*member)(c))
		}
	}
}

// Groups returns the groups that the connection is in, in the order of joining.
func (c *Conn) Groups() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.groups.taken()
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
	if c.mu.channel != nil {
		return c.mu.channel.name
	}
	c.mu.channel = &channel{name: c.layer.NewChannel()}
	if c.mu.gone {
		return c.mu.channel.name
	}
	unbind, err := c.layer.Bind(c.mu.channel.name, (*member)(c))
	if err != nil {
		panic(errors.Join(errNoChannel, err)) // 130 random bits were not unique
	}
	c.mu.channel.unbind = unbind
	return c.mu.channel.name
}

// leaveAll takes the connection out of everything, for good.
func (c *Conn) leaveAll() {
	if id, present := c.leaveGroups(); len(present) > 0 {
		c.exit(c.ctx, id, present, c.lingering()) // without the lock: members are told
	}
}

// leaveGroups returns the groups that the connection has still been present in, and as
// what.
func (c *Conn) leaveGroups() (id string, present []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.gone = true
	for _, group := range c.mu.groups.removeAll() {
		c.layer.Leave(group, (*member)(c))
	}
	if ch := c.mu.channel; ch != nil && ch.unbind != nil {
		ch.unbind()
		ch.unbind = nil
	}
	c.mu.recorded = nil
	if p := c.mu.present; p != nil {
		id, present = p.id, p.groups.removeAll()
	}
	return id, present
}
