package redis

import (
	"cmp"
	"context"
	_ "embed" // of the scripts
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
	"github.com/wye-go/wye/protocol"
)

// core is the transport of Core: a group is a sorted set of channels, and each node and each
// process of Django has a queue, also a sorted set, for the events of all its channels. A node
// is in a group with one channel, whatever the number of its members is. The local part of its
// name has the name of the group, because messages do not.
type core struct {
	driver *Driver
	home   string        // "specific.<node>!", starts all channels of the node, and is the name of its queue
	lease  time.Duration // see leaseTime
	full   overCapacity
	unsent rarely
}

const (
	// groupLocal starts the local part of a node's channel in a group.
	groupLocal = "wye.group."
	// nodeCapacity is how many events the queue of a node holds if no Options.Channels match.
	// It is more than channels_redis has for a process of Django, because the node reads
	// its queue for all its members at once.
	nodeCapacity = 10_000
)

// The scripts of Core.
//
//nolint:gochecknoglobals // constants
var (
	//go:embed core_send.lua
	coreSendText string
	//go:embed core_members.lua
	coreMembersText string
	//go:embed core_join.lua
	coreJoinText string
	//go:embed core_leave.lua
	coreLeaveText string
	//go:embed core_probe.lua
	coreProbeText string

	coreSend    = rueidis.NewLuaScript(coreSendText)
	coreMembers = rueidis.NewLuaScript(coreMembersText)
	coreJoin    = rueidis.NewLuaScript(coreJoinText)
	coreLeave   = rueidis.NewLuaScript(coreLeaveText)
	coreProbe   = rueidis.NewLuaScript(coreProbeText)
)

func newCore(d *Driver) *core {
	return &core{driver: d, home: homeOf(d.node), lease: cmp.Or(d.tune.lease, leaseTime)}
}

// homeOf returns what the channels of a node start with.
func homeOf(node string) string { return "specific." + node + "!" }

// groupName returns the key of a group, as in channels_redis.
func (t *core) groupName(group string) string  { return t.driver.settings.Prefix + ":group:" + group }
func (t *core) groupPrefix(*server) string     { return t.groupName("") }
func (t *core) groupShard(group string) string { return group }

// queueOf returns the name of the queue of a channel: a queue has the channels of one process,
// or it is that of a named channel.
func queueOf(channel string) string {
	if i := strings.IndexByte(channel, '!'); i >= 0 {
		return channel[:i+1]
	}
	return channel
}

// limitOf returns the limit of the queue in which the events of a channel wait.
func (t *core) limitOf(channel string) ChannelLimit {
	l := t.driver.settings.limit(channel)
	if _, local, _ := strings.Cut(channel, "!"); l.Pattern == "" && strings.HasPrefix(local, groupLocal) {
		l.Capacity = nodeCapacity
	}
	return l
}

// queued is a message for the channels of one queue.
type queued struct {
	queue    string
	channels []string
}

// publish sends m to the queues of all processes that have channels in group, but not to that
// of this node.
func (t *core) publish(ctx context.Context, group string, m *driver.Message) error {
	return t.publishTo(ctx, group, m, func(channel string) bool { return !strings.HasPrefix(channel, t.home) })
}

// publishRecorded sends e to the queues of Django. If that fails, Append has not: e has been
// recorded, and all nodes have it.
func (t *core) publishRecorded(ctx context.Context, group string, e *protocol.Event) {
	err := t.publishTo(ctx, group, &driver.Message{Event: e}, func(channel string) bool {
		_, local, _ := strings.Cut(channel, "!")
		return !strings.HasPrefix(local, groupLocal)
	})
	if err != nil && t.unsent.now() {
		t.driver.logger().Warn("wye: redis: a recorded event could not be sent to Django", "group", group, "error", err)
	}
}

// publishTo sends m to the queues of some members of group.
func (t *core) publishTo(ctx context.Context, group string, m *driver.Message, to func(channel string) bool) error {
	d := t.driver
	s := d.servers[wire.Shard(group, len(d.servers))]
	c, err := s.client()
	if err != nil {
		return err
	}
	members, err := coreMembers.Exec(ctx, c.Client, []string{t.groupName(group)}, []string{wholeSeconds(d.settings.GroupExpiry)}).AsStrSlice()
	if err != nil {
		return d.callError(ctx, s, err)
	}
	queues := queuesOf(members, to)
	full, err := t.push(ctx, queues, m)
	if full > 0 {
		t.full.note(d, group, full, len(queues))
	}
	return err
}

// queuesOf returns the queues of those channels that are wanted.
func queuesOf(channels []string, wanted func(channel string) bool) []queued {
	var all []queued
	at := make(map[string]int)
	for _, channel := range channels {
		if !wanted(channel) {
			continue
		}
		queue := queueOf(channel)
		i, ok := at[queue]
		if !ok {
			i = len(all)
			at[queue] = i
			all = append(all, queued{queue: queue})
		}
		all[i].channels = append(all[i].channels, channel)
	}
	return all
}

// send sends e to the queue of a channel.
func (t *core) send(ctx context.Context, channel string, e *protocol.Event) error {
	full, err := t.push(ctx, []queued{{queueOf(channel), []string{channel}}}, &driver.Message{Event: e})
	if err == nil && full > 0 {
		return driver.ErrChannelFull
	}
	return err
}

// batch is what one call of the script has that sends to the queues on a server.
type batch struct{ keys, args []string }

// push adds m to queues, with one call to each server that has some of them. It returns how
// many were full.
func (t *core) push(ctx context.Context, queues []queued, m *driver.Message) (full int64, err error) {
	d := t.driver
	batches := make([]batch, len(d.servers))
	for _, q := range queues {
		m := driver.Message{Event: m.Event, Mark: m.Mark, Channels: q.channels}
		message, err := d.encodeMember(&m)
		if err != nil {
			return 0, err
		}
		limit := t.limitOf(q.channels[0])
		b := &batches[wire.Shard(q.queue, len(d.servers))]
		b.keys = append(b.keys, d.queueKey(q.queue))
		b.args = append(b.args, message, strconv.Itoa(limit.Capacity), wholeSeconds(limit.Expiry))
	}
	fulls, errs := make([]int64, len(batches)), make([]error, len(batches))
	var all sync.WaitGroup
	for i := range batches {
		switch b := &batches[i]; {
		case len(b.keys) == len(queues): // the only one
			fulls[i], errs[i] = t.pushTo(ctx, d.servers[i], b)
		case len(b.keys) > 0:
			all.Go(func() { fulls[i], errs[i] = t.pushTo(ctx, d.servers[i], b) })
		}
	}
	all.Wait()
	for _, n := range fulls {
		full += n
	}
	return full, errors.Join(errs...)
}

// pushTo adds messages to queues on one server.
func (t *core) pushTo(ctx context.Context, s *server, b *batch) (full int64, err error) {
	if len(b.keys) == 0 {
		return 0, nil
	}
	c, err := s.client()
	if err != nil {
		return 0, err
	}
	full, err = coreSend.Exec(ctx, c.Client, b.keys, b.args).AsInt64()
	return full, t.driver.callError(ctx, s, err)
}

func (t *core) carriesAll(s *server) bool {
	return s == t.driver.servers[wire.Shard(t.home, len(t.driver.servers))]
}

func (t *core) permissions() string {
	return pubSubPermissions + " +zadd +zcard +zrem +zrange +zrevrange +zrangebyscore +zremrangebyscore +zscore +zpopmin +bzpopmin " +
		"+sadd +srem +scard +smembers +expire +ttl +del +time"
}
