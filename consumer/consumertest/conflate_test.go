package consumertest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// named is a message whose key is what stands before the equals sign, if there is
// one.
func named(s string) protocol.Message {
	m := protocol.Text(s)
	if key, _, ok := strings.Cut(s, "="); ok {
		m.Key = key
	}
	return m
}

// way is a way to send.
type way func(ctx context.Context, c *consumer.Conn, m protocol.Message) error

// ways are the sends of a connection of its own, by name.
func ways() map[string]way {
	return map[string]way{
		"Send": func(ctx context.Context, c *consumer.Conn, m protocol.Message) error { return c.Send(ctx, m) },
		"Broadcast": func(ctx context.Context, c *consumer.Conn, m protocol.Message) error {
			return c.Broadcast(ctx, "all", m)
		},
		"GroupSend": func(ctx context.Context, c *consumer.Conn, m protocol.Message) error {
			return c.GroupSend(ctx, "all", protocol.SendType.New(m))
		},
		"SendPrepared": func(ctx context.Context, c *consumer.Conn, m protocol.Message) error {
			return c.SendPrepared(ctx, protocol.Prepare(m))
		},
	}
}

// TestConflation has a client leave everything unread while the consumer sends.
func TestConflation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at         testkit.Line
		sent, want string
		conflated  int64
		limits     protocol.Limits
	}{
		{testkit.Here(), "a=1 b=1 a=2", "a=2 b=1", 1, protocol.Limits{}},
		{testkit.Here(), "a=1 b=1 hi a=2 b=2", "hi a=2 b=2", 2, protocol.Limits{}},
		{testkit.Here(), "a=1 hi b=1 a=2 b=2", "hi b=2 a=2", 2, protocol.Limits{}},
		{testkit.Here(), "hi ho", "hi ho", 0, protocol.Limits{}},
		{testkit.Here(), "a=1 b=1 c=1 a=22", "c=1 a=22", 0, // dropped, not conflated
			protocol.Limits{QueueBytes: 3 * (4 + plumbing.KeyOverhead), Overflow: protocol.OverflowDropOldest}},
		{testkit.Here(), "a=1 b=1 a=22", "a=1 b=1", 0, // the earlier one stays
			protocol.Limits{QueueBytes: 2 * (4 + plumbing.KeyOverhead), Overflow: protocol.OverflowDropNewest}},
		{testkit.Here(), "a=1 b=1 a=2 b=2", "a=2 b=2", 2, // room enough, for as long as you like
			protocol.Limits{QueueBytes: 2 * (4 + plumbing.KeyOverhead)}},
	} {
		for name, way := range ways() {
			for _, early := range []bool{false, true} {
				if early && name != "Send" && name != "SendPrepared" || early && row.limits != (protocol.Limits{}) {
					continue // before the answer there are other bounds, and no groups yet
				}
				synctest.Test(t, func(t *testing.T) {
					script := sends{way: way, early: early, list: strings.Fields(row.sent)}
					app := router.Use(consumer.New(func(*consumer.Scope) sends { return script }, consumer.Groups[sends]("all")),
						layers.Middleware(new(layers.Layer)))
					c := consumertest.Connect(t, app, "/", &consumertest.Options{Limits: row.limits})
					c.SendText("go")
					synctest.Wait()
					got := c.Stats()
					if got.MessagesConflated != row.conflated {
						t.Errorf("%s: %s: %d conflated, want %d", row.at, name, got.MessagesConflated, row.conflated)
					}
					for want := range strings.FieldsSeq(row.want) {
						if m := c.Message(); m.Text() != want || m.Key != "" {
							t.Errorf("%s: %s: got %q with the key %q, want %q and none", row.at, name, m.Data, m.Key, want)
						}
					}
					c.WantNothing()
				})
			}
		}
	}
}

// sends is a consumer that sends a list, in Connect or when it is told to.
type sends struct {
	consumer.Base
	way   way
	early bool
	list  []string
}

func (s sends) Connect(ctx context.Context, c *consumer.Conn) error {
	if s.early {
		return s.all(ctx, c)
	}
	return nil
}

func (s sends) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	if m.Key != "" {
		return errors.New("a message came with a key")
	}
	if s.early {
		return nil
	}
	return s.all(ctx, c)
}

func (s sends) all(ctx context.Context, c *consumer.Conn) error {
	for _, text := range s.list {
		if err := s.way(ctx, c, named(text)); err != nil && !errors.Is(err, protocol.ErrDropped) {
			return err
		}
	}
	return nil
}

// TestKeysDoNotTravel has a client send a message with a key.
func TestKeysDoNotTravel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := consumertest.Connect(t, consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			return c.SendText(ctx, "key "+m.Key)
		}), "/", nil)
		c.Send(named("a=1"))
		c.WantText("key ")
	})
}
