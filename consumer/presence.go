package consumer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// presence is where a connection is present.
type presence struct {
	id     string // the same everywhere
	groups places
}

// exitPatience is how long the end of a connection may take to tell a driver that it
// is present no more.
const exitPatience = 10 * time.Second

// Enter makes the connection present in group, for all to see who ask Present or
// handle [layers.Entered] and [layers.Changed]: as key, which stands for a user as a rule, and with meta,
// encoded by encoding/json, or nil. It exits by itself after Disconnect, or when it is
// refused. Again in the same group replaces key and meta, which those who are in
// the group are told. It need not be in the group. See [layers.Layer.Enter], also for errors; and protocol.ErrTooManyGroups if
// it is present in Limits.Groups of them already, protocol.ErrClosed once the
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
	id, seat, err := c.beginEnter(group)
	if err != nil {
		return err
	}
	p.ID = id
	err = c.layer.Enter(ctx, group, p)
	absent, gone := c.endEnter(seat, err)
	if absent {
		c.exit(ctx, id, []string{group}, 0) // it has gone in between, or may have come all the same
	}
	if err == nil && gone {
		err = protocol.ErrClosed
	}
	return err
}

// beginEnter notes the group, so that the end of the connection exits.
func (c *Conn) beginEnter(group string) (id string, seat *place, err error) {
	if err := c.leaveAtEnd(); err != nil {
		return "", nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.gone {
		return "", nil, protocol.ErrClosed
	}
	if c.mu.present == nil {
		c.mu.present = &presence{id: rand.Text()}
	}
	seat, err = c.mu.present.groups.begin(group, c.conn.MayJoin)
	return c.mu.present.id, seat, err
}

// endEnter reports whether the connection is not to be present, because it has exited
// meanwhile, at its end too, or because nothing has come of it; and whether it is over.
func (c *Conn) endEnter(seat *place, err error) (absent, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.present.groups.end(seat, err), c.mu.gone
}

// remove reports whether the connection was present in group.
func (p *presence) remove(group string) bool {
	return p != nil && p.groups.remove(p.groups.find(group))
}

// Exit makes the connection present no more in group; not being there is no error.
// It exits also if ctx ends meanwhile or has ended, as a callback's does with the
// connection, and returns ctx's error then. See [layers.Layer.Exit].
func (c *Conn) Exit(ctx context.Context, group string) error {
	c.mu.Lock()
	present := c.mu.present
	there := present.remove(group)
	c.mu.Unlock()
	if !there {
		return nil
	}
	err := c.layer.Exit(ctx, group, present.id)
	if err != nil && ctx.Err() != nil { // nothing else would take it out: it is not noted any more
		c.exit(ctx, present.id, []string{group}, 0)
	}
	return err
}

// PresenceLinger has the presences of a connection that has ended stay for d, at most
// layers.MaxLinger, so that a peer which loses its connection and comes back within that
// time, and enters with the same key, neither leaves nor joins for the others. Exit is
// not delayed: call it in Disconnect if the peer has said goodbye. The default is 0. See
// [layers.Layer.ExitAfter].
func PresenceLinger[C any](d time.Duration) Option[C] {
	if d < 0 || d > layers.MaxLinger {
		panic(fmt.Sprintf("wye: consumer.PresenceLinger: a presence can linger for up to %v, not for %v", layers.MaxLinger, d))
	}
	return optionFunc[C](func(s *spec[C]) { s.linger = d })
}

// Present returns who is present in group; see [layers.Layer.Present]. For one key or a
// number there are [layers.Layer.PresentKey] and [layers.Layer.CountPresent] of Layer.
func (c *Conn) Present(ctx context.Context, group string) ([]layers.Presence, error) {
	return c.layer.Present(ctx, group)
}

// lingering is how long presences stay when the connection has ended. Those of a
// connection that was refused do not.
func (c *Conn) lingering() time.Duration {
	if !c.disconnected {
		return 0
	}
	return c.events.linger()
}

// exit exits from groups, whatever has become of ctx. Nobody is there to be told of
// an error: a driver makes up for it.
func (c *Conn) exit(ctx context.Context, id string, groups []string, linger time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exitPatience)
	defer cancel()
	for _, group := range groups {
		_ = c.layer.ExitAfter(ctx, group, id, linger) //nolint:errcheck // see above
	}
}
