package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
	"github.com/wye-go/wye/protocol"
)

// Driver connects a layer to those of other processes, and to Django Channels, over Redis.
// [New] makes one. Pass it to layers.Open once. All methods are safe for concurrent
// use; programs call only Stats, and the layer calls the others. The optional interfaces of layers
// (queues, history, presence) are methods of the driver: hence so many.
type Driver struct {
	options Options

	// Set by Start.
	settings  *settings
	codec     *wire.Codec
	node      string
	mark      string // of the messages that this node publishes
	transport transport
	receiver  driver.Receiver
	servers   []*server // in the order of Options.URLs
	inboxes   []*inbox
	outages   outages
	malformed malformed
	queues    queues
	asked     sync.Map      // groups that have a roster, or are about to: struct{} by name
	fills     chan struct{} // has an element for each history that is read because events are missing

	tune           tuning
	started, ready atomic.Bool
	leaving        atomic.Bool     // Close has been called: nothing is delivered
	ctx            context.Context //nolint:containedctx // of the driver's goroutines; Close ends it
	cancel         context.CancelFunc
	running        sync.WaitGroup // those goroutines
}

// tuning has what tests change. A zero field has its default.
type tuning struct {
	lease, renew time.Duration
	client       func(o *rueidis.ClientOption)
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
	d.transport = d.newTransport()
	d.fills = make(chan struct{}, maxFills)
	d.ctx, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	d.queues.open(d.ctx)
	if err := d.connect(ctx); err != nil {
		d.cancel()
		d.running.Wait()
		return err
	}
	return nil
}

// newTransport returns the transport of Options.Backend.
func (d *Driver) newTransport() transport {
	if d.settings.Backend == Core {
		return newCore(d)
	}
	return &pubSub{d}
}

// markPrefix starts the mark of the messages of this version of Wye.
const markPrefix = "wye1:"

// connect connects to all servers at the same time and starts the goroutines.
func (d *Driver) connect(ctx context.Context) error {
	d.startInboxes()
	errs := make([]error, len(d.settings.targets))
	var all sync.WaitGroup
	for i := range d.settings.targets {
		d.servers = append(d.servers, newServer(d, &d.settings.targets[i]))
	}
	for i, s := range d.servers {
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
		d.running.Go(s.keepLease)
		d.running.Go(s.keepPresences)
	}
	d.ready.Store(true)
	return nil
}

// Close ends all connections: see [driver.Driver]. If calls of Pull wait, it waits until the
// servers have given them no event, for five seconds at most, and then until what Redis stores about
// this node has been removed, for another second at most.
func (d *Driver) Close(ctx context.Context) error {
	d.queues.close(ctx)
	d.leaving.Store(true)
	var leaving sync.WaitGroup
	leaving.Go(func() { d.leavePresences(ctx) })
	leaving.Go(func() { d.transport.leave(ctx) })
	leaving.Wait()
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
	adds, drops := d.namesByServer(add), d.namesByServer(drop)
	errs := make([]error, len(d.servers))
	var all sync.WaitGroup
	for i, s := range d.servers {
		if len(adds[i])+len(drops[i]) > 0 {
			all.Go(func() { errs[i] = s.change(ctx, adds[i], drops[i]) })
		}
	}
	all.Wait()
	d.forgetStreams(drop)
	return errors.Join(errs...)
}

// namesByServer returns the names in Redis of groups on each server.
func (d *Driver) namesByServer(groups []string) [][]string {
	names := make([][]string, len(d.servers))
	for _, group := range groups {
		i := wire.Shard(d.transport.groupShard(group), len(d.servers))
		names[i] = append(names[i], d.transport.groupName(group))
	}
	return names
}

// Publish publishes e to all nodes that have members in group, and to Django: see
// [driver.Driver].
func (d *Driver) Publish(ctx context.Context, group string, e *protocol.Event) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	return d.transport.publish(ctx, group, &driver.Message{Event: e, Mark: d.mark})
}

// Send sends e to the channel of a consumer on another node: see [driver.Driver]. With PubSub
// it returns driver.ErrNoConsumer if no node receives from that channel; with Core,
// driver.ErrChannelFull if the queue of that node or process of Django is full.
func (d *Driver) Send(ctx context.Context, channel string, e *protocol.Event) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	return d.transport.send(ctx, channel, e)
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
