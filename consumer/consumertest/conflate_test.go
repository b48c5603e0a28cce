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

// keyed returns a text message. Its key is the part of s before an equals sign, if there
// is one.
func keyed(s string) protocol.Message {
	m := protocol.Text(s)
	if key, _, ok := strings.Cut(s, "="); ok {
		m.Key = key
	}
	return m
}

// sendFunc sends a message to the peer.
type sendFunc func(ctx context.Context, c *consumer.Conn, m protocol.Message) error

// sendFuncs are the ways to send to the peer, by name.
func sendFuncs() map[string]sendFunc {
	return map[string]sendFunc{
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

// The client reads nothing until the consumer has sent all messages.
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
		{testkit.Here(), "a=1 b=1 c=1 a=22", "c=1 a=22", 0, // a is dropped, not conflated
			protocol.Limits{QueueBytes: 3 * (4 + plumbing.KeyOverhead), Overflow: protocol.OverflowDropOldest}},
		{testkit.Here(), "a=1 b=1 a=22", "a=1 b=1", 0, // the earlier a stays
			protocol.Limits{QueueBytes: 2 * (4 + plumbing.KeyOverhead), Overflow: protocol.OverflowDropNewest}},
		{testkit.Here(), "a=1 b=1 a=2 b=2", "a=2 b=2", 2, // replacing a message needs no more room
			protocol.Limits{QueueBytes: 2 * (4 + plumbing.KeyOverhead)}},
	} {
		for name, send := range sendFuncs() {
			for _, early := range []bool{false, true} {
				if early && name != "Send" && name != "SendPrepared" || early && row.limits != (protocol.Limits{}) {
					continue // before the answer the bounds differ, and no group is joined
				}
				synctest.Test(t, func(t *testing.T) {
					script := sends{send: send, early: early, list: strings.Fields(row.sent)}
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

// sends is a consumer that sends the messages of list, in Connect if early, and otherwise
// when it receives a message.
type sends struct {
	consumer.Base
	send  sendFunc
	early bool
	list  []string
}

func (s sends) Connect(ctx context.Context, c *consumer.Conn) error {
	if s.early {
		return s.sendAll(ctx, c)
	}
	return nil
}

func (s sends) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	if m.Key != "" {
		return errors.New("the message has a key")
	}
	if s.early {
		return nil
	}
	return s.sendAll(ctx, c)
}

func (s sends) sendAll(ctx context.Context, c *consumer.Conn) error {
	for _, text := range s.list {
		if err := s.send(ctx, c, keyed(text)); err != nil && !errors.Is(err, protocol.ErrDropped) {
			return err
		}
	}
	return nil
}

func TestTheConsumerReceivesNoKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := consumertest.Connect(t, consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			return c.SendText(ctx, "key "+m.Key)
		}), "/", nil)
		c.Send(keyed("a=1"))
		c.WantText("key ")
	})
}
