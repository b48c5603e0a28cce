package consumer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// presence is where a connection is present.
type presence struct {
	id     string // the same everywhere
	groups []string
}

// exitPatience is how long the end of a connection may take to tell a driver that it
// is present no more.
const exitPatience = 10 * time.Second

// Enter makes the connection present in group, for all to see who ask Present or
// handle [layers.Entered]: as key, which stands for a user as a rule, and with meta,
// encoded by encoding/json, or nil. It exits by itself after Disconnect, or when it is
// refused. Again in the same group replaces key and meta. It need not be in the
// group. See [layers.Layer.Enter], also for errors; and protocol.ErrClosed once the
// connection is over.
func (c *Conn) Enter(ctx context.Context, group, key string, meta any) error {
	p := layers.Presence{Key: key}
	if meta != nil {
		b, err := json.Marshal(meta)
		if err != nil {
			return fmt.Errorf("wye: Enter: %w", err)
		}
		p.Meta = b
	}
	var first bool
	var err error
	if p.ID, first, err = c.beginEnter(group); err != nil {
		return err
	}
	err = c.layer.Enter(ctx, group, p)
	if !c.endEnter(group, err != nil && first) {
		return err
	}
	c.exit(ctx, p.ID, group) // it has gone in between
	if err == nil && c.isGone() {
		err = protocol.ErrClosed
	}
	return err
}

// beginEnter notes the group, so that the end of the connection exits.
func (c *Conn) beginEnter(group string) (id string, first bool, err error) {
	if err := c.leaveAtEnd(); err != nil {
		return "", false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.gone {
		return "", false, protocol.ErrClosed
	}
	if c.mu.present == nil {
		c.mu.present = &presence{id: rand.Text()}
	}
	if slices.Contains(c.mu.present.groups, group) {
		return c.mu.present.id, false, nil
	}
	c.mu.present.groups = append(c.mu.present.groups, group)
	return c.mu.present.id, true, nil
}

// endEnter reports whether the connection is not to be present, because it has exited
// meanwhile, at its end too, or because forget says so.
func (c *Conn) endEnter(group string, forget bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if forget {
		c.mu.present.remove(group)
	}
	return !slices.Contains(c.mu.present.groups, group)
}

// remove reports whether the connection was present in group.
func (p *presence) remove(group string) bool {
	if p == nil {
		return false
	}
	i := slices.Index(p.groups, group)
	if i >= 0 {
		p.groups = slices.Delete(p.groups, i, i+1)
	}
	return i >= 0
}

// Exit makes the connection present no more in group; not being there is no error.
// See [layers.Layer.Exit].
func (c *Conn) Exit(ctx context.Context, group string) error {
	c.mu.Lock()
	present := c.mu.present
	there := present.remove(group)
	c.mu.Unlock()
	if !there {
		return nil
	}
	return c.layer.Exit(ctx, group, present.id)
}

// Present returns who is present in group; see [layers.Layer.Present].
func (c *Conn) Present(ctx context.Context, group string) ([]layers.Presence, error) {
	return c.layer.Present(ctx, group)
}

func (c *Conn) isGone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.gone
}

// exit exits from groups, whatever has become of ctx. Nobody is there to be told of
// an error: a driver makes up for it.
func (c *Conn) exit(ctx context.Context, id string, groups ...string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exitPatience)
	defer cancel()
	for _, g := range groups {
		_ = c.layer.Exit(ctx, g, id) //nolint:errcheck // see above
	}
}
