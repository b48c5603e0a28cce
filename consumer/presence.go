package consumer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
)

// Enter makes the connection present in group. [Conn.Present] then returns its presence,
// on every node, and members of group that have a handler for [Entered] or [Changed]
// receive that event.
//
// key usually identifies the user, who may have several connections. meta is encoded by
// encoding/json; nil means no metadata. Entering again in the same group replaces key
// and meta. Presence is independent of membership: the connection need not be a member
// of group.
//
// The connection exits by itself, after Disconnect has returned or when it is refused;
// see [PresenceLinger].
//
// Errors: meta that cannot be encoded; [ErrTooMany] if the connection is present
// in as many groups as Limits.Groups allows; [ErrClosed] if it is over; those of
// [layers.Layer.Enter].
func (c *Conn) Enter(ctx context.Context, group, key string, meta any) error {
	p := Presence{Key: key}
	if meta != nil {
		b, err := json.Marshal(meta)
		if err != nil {
			return fmt.Errorf("wye: Enter: %w", err)
		}
		p.Meta = b
	}
	id, e, err := c.startEnter(group)
	if err != nil {
		return err
	}
	p.ID = id
	err = c.app.layer.Enter(ctx, group, p)
	absent, over := c.finishEnter(e, err)
	if absent { // the connection exited before the layer entered, or Enter failed and may have entered
		c.exitGroups(ctx, id, []string{group}, 0)
	}
	if err == nil && over {
		err = ErrClosed
	}
	return err
}

// startEnter adds group to the groups that the connection exits from when it is over.
func (c *Conn) startEnter(group string) (id string, e *groupEntry, err error) {
	if err := c.deferLeaveAll(); err != nil {
		return "", nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.leftAll {
		return "", nil, ErrClosed
	}
	x := c.mu.extras()
	if x.presence == nil {
		x.presence = &presence{id: rand.Text()}
	}
	e, err = x.presence.groups.startCall(group, c.conn.MayJoin)
	return x.presence.id, e, err
}

// finishEnter reports whether the connection must not be present, because it has exited
// or the call failed, and whether the connection is over.
func (c *Conn) finishEnter(e *groupEntry, err error) (absent, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.extra.presence.groups.finishCall(e, err), c.mu.leftAll
}

// Exit ends the connection's presence in group. It has no effect if the connection is
// not present there. If ctx is done, or is done before the driver has answered, the
// presence ends all the same, and Exit returns the error of ctx. See
// [layers.Layer.Exit].
func (c *Conn) Exit(ctx context.Context, group string) error {
	c.mu.Lock()
	p := c.mu.present()
	removed := p.remove(group)
	c.mu.Unlock()
	if !removed {
		return nil
	}
	err := c.app.layer.Exit(ctx, group, p.id)
	if err != nil && ctx.Err() != nil { // leaveAll will not exit: the group was removed above
		c.exitGroups(ctx, p.id, []string{group}, 0)
	}
	return err
}

// Present returns the presences in group, on all nodes; see [layers.Layer.Present].
// [layers.Layer.PresentKey] returns those of one key, and [layers.Layer.CountPresent]
// only their number.
func (c *Conn) Present(ctx context.Context, group string) ([]Presence, error) {
	return c.app.layer.Present(ctx, group)
}
