package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
	"github.com/wye-go/wye/protocol"
)

// Driver connects a layer to those of other processes, and to Django Channels, over Redis
// Pub/Sub. [New] makes one. Pass it to layers.Open once. All methods are safe for concurrent
// use; programs call only Stats, and the layer calls the others.
type Driver struct {
	options Options

	// Set by Start.
	settings  *settings
	codec     *wire.Codec
	node      string
	mark      string // of the messages that this node publishes
	receiver  driver.Receiver
	servers   []*server // in the order of Options.URLs
	inboxes   []*inbox
	outages   outages
	malformed malformed

	started, ready atomic.Bool
	ctx            context.Context //nolint:containedctx // of the driver's goroutines; Close ends it
	cancel         context.CancelFunc
	running        sync.WaitGroup // those goroutines
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver with these options. The zero Options are valid. Mistakes in them are
// errors of layers.Open.
func New(o Options) *Driver { return &Driver{options: o} }

// Start connects to all servers and checks what they can do and what they allow: see
// [driver.Driver]. It returns an error if an option is wrong, or if one of the servers cannot
// be reached, is too old, is a replica, or refuses a command that the driver needs. The error
// says what to do.
func (d *Driver) Start(ctx context.Context, r driver.Receiver) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d.started.Swap(true) {
		return errors.New("wye: redis: the driver has been opened before; make another one with redis.New for another layer")
	}
	s, err := d.options.check()
	if err != nil {
		return err
	}
	codec, err := wire.New(s.Serializer, s.EncryptionKeys)
	if err != nil {
		return err
	}
	d.settings, d.codec, d.node, d.receiver = s, codec, r.Node(), r
	d.mark = markPrefix + d.node
	d.ctx, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := d.connect(ctx); err != nil {
		d.cancel()
		d.running.Wait()
		return err
	}
	return nil
}

// markPrefix starts the mark of the messages of this version of Wye.
const markPrefix = "wye1:"

// connect connects to all servers at the same time and starts the goroutines.
func (d *Driver) connect(ctx context.Context) error {
	d.startInboxes()
	errs := make([]error, len(d.settings.targets))
	var all sync.WaitGroup
	for i := range d.settings.targets {
		s := newServer(d, &d.settings.targets[i])
		d.servers = append(d.servers, s)
		all.Go(func() {
			if err := s.start(ctx); err != nil {
				errs[i] = fmt.Errorf("wye: redis: %s: %w", s.target.name, err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		for _, s := range d.servers {
			s.disconnect(nil)
		}
		return err
	}
	for _, s := range d.servers {
		d.running.Go(s.run)
	}
	d.ready.Store(true)
	return nil
}

// Close ends all connections: see [driver.Driver]. It does not wait for Redis.
func (d *Driver) Close(ctx context.Context) error {
	d.cancel()
	done := make(chan struct{})
	go func() {
		d.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Subscribe subscribes the node to groups and unsubscribes it: see [driver.Driver].
func (d *Driver) Subscribe(ctx context.Context, add, drop []string) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	adds, drops := d.channelsByServer(add), d.channelsByServer(drop)
	errs := make([]error, len(d.servers))
	var all sync.WaitGroup
	for i, s := range d.servers {
		if len(adds[i])+len(drops[i]) > 0 {
			all.Go(func() { errs[i] = s.change(ctx, adds[i], drops[i]) })
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

// channelsByServer returns the channels of groups on each server.
func (d *Driver) channelsByServer(groups []string) [][]string {
	channels := make([][]string, len(d.servers))
	for _, group := range groups {
		channel := d.groupChannel(group)
		i := wire.Shard(channel, len(d.servers))
		channels[i] = append(channels[i], channel)
	}
	return channels
}

// Publish publishes e to all nodes that have members in group, and to Django: see
// [driver.Driver].
func (d *Driver) Publish(ctx context.Context, group string, e *protocol.Event) error {
	_, err := d.publish(ctx, d.groupChannel(group), &driver.Message{Event: e, Mark: d.mark})
	return err
}

// Send sends e to the channel of a consumer on another node: see [driver.Driver]. It returns
// driver.ErrNoConsumer if no node receives from that channel.
func (d *Driver) Send(ctx context.Context, channel string, e *protocol.Event) error {
	receivers, err := d.publish(ctx, channel, &driver.Message{Event: e})
	if err == nil && receivers == 0 {
		return driver.ErrNoConsumer
	}
	return err
}

// publish publishes m to a channel of Redis and returns how many connections receive it.
func (d *Driver) publish(ctx context.Context, channel string, m *driver.Message) (receivers int64, err error) {
	if err := d.usable(ctx); err != nil {
		return 0, err
	}
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

// usable returns the error of a call that is not made.
func (d *Driver) usable(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case d.ctx.Err() != nil:
		return driver.ErrLayerClosed
	}
	return nil
}

// groupChannel returns the channel of Redis on which the events of group are published.
func (d *Driver) groupChannel(group string) string { return d.settings.Prefix + groupInfix + group }

// groupInfix is between the prefix and the name of a group, as in channels_redis.
const groupInfix = "__group__"

// ownPattern matches the channels of the consumers of this node. Their names are
// those of driver.NewChannel.
func (d *Driver) ownPattern() string { return "specific." + d.node + "!*" }

// probeChannel is a channel that ownPattern matches and that no consumer has.
func (d *Driver) probeChannel() string { return "specific." + d.node + "!wye.probe" }
