package redis

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
	"github.com/wye-go/wye/protocol"
)

// pubSub is the transport of PubSub: a group is a channel of Redis Pub/Sub.
type pubSub struct{ driver *Driver }

// groupInfix is between the prefix and the name of a group, as in channels_redis.
const groupInfix = "__group__"

func (t *pubSub) groupName(group string) string  { return t.driver.settings.Prefix + groupInfix + group }
func (t *pubSub) groupShard(group string) string { return t.groupName(group) }

func (t *pubSub) publish(ctx context.Context, group string, m *driver.Message) error {
	_, err := t.publishTo(ctx, t.groupName(group), m)
	return err
}

func (t *pubSub) publishRecorded(context.Context, string, *protocol.Event) {}

func (t *pubSub) send(ctx context.Context, channel string, e *protocol.Event) error {
	receivers, err := t.publishTo(ctx, channel, &driver.Message{Event: e})
	if err == nil && receivers == 0 {
		return driver.ErrNoConsumer
	}
	return err
}

// publishTo publishes m to a channel of Redis and returns how many connections receive it.
func (t *pubSub) publishTo(ctx context.Context, channel string, m *driver.Message) (receivers int64, err error) {
	d := t.driver
	b, err := d.codec.Append(nil, m) // may be written after ctx has ended, so that it is not used again
	if err != nil {
		return 0, err
	}
	s := d.servers[wire.Shard(channel, len(d.servers))]
	c, err := s.client()
	if err != nil {
		return 0, err
	}
	receivers, err = c.Do(ctx, c.B().Publish().Channel(channel).Message(rueidis.BinaryString(b)).Build()).AsInt64()
	return receivers, d.callError(ctx, s, err)
}

func (t *pubSub) open(ctx context.Context, s *server, c *commands) (intake, error) {
	return s.openSubscriber(ctx, c)
}

func (t *pubSub) leave(context.Context) {} // Redis forgets subscriptions with their connection

func (t *pubSub) carriesAll(*server) bool { return len(t.driver.servers) == 1 }

func (t *pubSub) permissions() string { return pubSubPermissions }

// pubSubPermissions permits to publish and to subscribe.
const pubSubPermissions = "&* +publish +subscribe +psubscribe +unsubscribe +punsubscribe"

// ownPattern matches the channels of the consumers of this node. Their names are
// those of driver.NewChannel.
func (d *Driver) ownPattern() string { return "specific." + d.node + "!*" }

// probeChannel is a channel that ownPattern matches and that no consumer has.
func (d *Driver) probeChannel() string { return "specific." + d.node + "!wye.probe" }
