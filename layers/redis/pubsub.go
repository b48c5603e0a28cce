package redis

import (
	"context"
	"strings"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
	"github.com/wye-go/wye/protocol"
)

// pubSub is the transport of PubSub: a group is a channel of Redis Pub/Sub.
// In a cluster, it is one of sharded Pub/Sub if Options.Sharded is set.
type pubSub struct{ driver *Driver }

// groupInfix is between the prefix and the name of a group, as in channels_redis.
const groupInfix = "__group__"

func (t *pubSub) groupName(group string) string {
	return t.driver.serverOf(group).before + group
}

func (t *pubSub) groupPrefix(s *server) string { return s.before }

func (t *pubSub) groupShard(group string) string {
	return t.driver.settings.Prefix + groupInfix + group
}

func (t *pubSub) publish(ctx context.Context, group string, m *driver.Message) error {
	b, err := t.driver.codec.Append(nil, m) // may be written after ctx has ended, so that it is not used again
	if err != nil {
		return err
	}
	s := t.driver.serverOf(group)
	_, err = t.publishTo(ctx, s, s.before+group, b)
	return err
}

func (t *pubSub) publishRecorded(context.Context, string, *protocol.Event) {}

func (t *pubSub) send(ctx context.Context, channel string, e *protocol.Event) error {
	d := t.driver
	s, ofNode := d.homeServer(channel), strings.Contains(channel, "!")
	to, b := channel, []byte(nil)
	if d.settings.Sharded {
		if !ofNode {
			return driver.ErrNoConsumer
		}
		to, b = s.nodeChannel(channel), []byte(channel+nodeSeparator)
	}
	b, err := d.codec.Append(b, &driver.Message{Event: e})
	if err != nil {
		return err
	}
	receivers, err := t.publishTo(ctx, s, to, b)
	if err == nil && receivers == 0 && (ofNode || !d.isCluster()) { // Django may be connected to another node of a cluster
		return driver.ErrNoConsumer
	}
	return err
}

// publishTo publishes a message to a channel of Redis and returns how many connections to that
// server receive it.
func (t *pubSub) publishTo(ctx context.Context, s *server, channel string, message []byte) (receivers int64, err error) {
	c, err := s.client()
	if err != nil {
		return 0, err
	}
	receivers, err = c.call(ctx, func(c *commands) rueidis.RedisResult {
		return c.publish(ctx, channel, rueidis.BinaryString(message))
	}).AsInt64()
	return receivers, t.driver.callError(ctx, s, err)
}

// publish publishes a message.
func (c *commands) publish(ctx context.Context, channel, message string) rueidis.RedisResult {
	if c.server.driver.settings.Sharded {
		return c.Do(ctx, c.B().Spublish().Channel(channel).Message(message).Build())
	}
	return c.Do(ctx, c.B().Publish().Channel(channel).Message(message).Build())
}

// homeServer returns the server through which a consumer's channel is reached. In a cluster, it is
// the same for all channels of a node.
func (d *Driver) homeServer(channel string) *server {
	if d.isCluster() {
		channel = queueOf(channel)
	}
	return d.servers[wire.Shard(channel, len(d.servers))]
}

// nodeChannel is the channel of Redis that gets what is sent to the consumers of a node with
// sharded Pub/Sub, which has no patterns.
func (s *server) nodeChannel(channel string) string {
	return s.prefix + ":wye:node:" + queueOf(channel)
}

// nodeSeparator is between the channel of a consumer and the message.
const nodeSeparator = "\n"

func (t *pubSub) open(ctx context.Context, s *server, c *commands) (intake, error) {
	return s.openSubscriber(ctx, c)
}

func (t *pubSub) leave(context.Context) {} // Redis forgets subscriptions with their connection

func (t *pubSub) carriesAll(*server) bool { return len(t.driver.servers) == 1 }

func (t *pubSub) permissions() string {
	if !t.driver.isCluster() {
		return pubSubPermissions
	}
	return pubSubPermissions + " +spublish +ssubscribe +sunsubscribe +cluster|slots"
}

// pubSubPermissions permits to publish and to subscribe.
const pubSubPermissions = "&* +publish +subscribe +psubscribe +unsubscribe +punsubscribe"

// ownPattern matches the channels of the consumers of this node. Their names are
// those of driver.NewChannel.
func (d *Driver) ownPattern() string { return "specific." + d.node + "!*" }

// probeChannel is the channel of probes. If s is not a partition, ownPattern matches it, and no
// consumer has it.
func (s *server) probeChannel() string {
	if s.target.part != nil {
		return s.prefix + ":wye:probe:" + s.driver.node
	}
	return "specific." + s.driver.node + "!wye.probe"
}

// checkSlot returns an error if s is a partition, and the node that it is connected to does not
// have its slot, or cannot reach most of the cluster.
func (s *server) checkSlot(ctx context.Context, c *commands) error {
	if s.target.part == nil {
		return nil
	}
	err := c.Do(ctx, c.B().Zcard().Key(s.leasesKey()).Build()).Error()
	if isMoving(err) && codeOfErr(err) != moved {
		return nil // it has the slot still
	}
	return err
}
