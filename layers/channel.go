package layers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// Send sends e to a channel: to the one consumer that has this name, on any node, or to a
// named channel, where e waits for a worker. If no consumer has the name, Send drops e and
// returns nil: the consumer may have disconnected a moment ago.
//
// Errors and waiting as in GroupSend, and ErrChannelFull if the named channel is full, or
// errors.ErrUnsupported if the driver has no named channels.
func (l *Layer) Send(ctx context.Context, channel string, e *protocol.Event) error {
	if err := l.TrySend(ctx, channel, e); !errors.Is(err, ErrNoConsumer) {
		return err
	}
	return nil
}

// TrySend is Send, except that it returns ErrNoConsumer if no consumer has this name:
// in this process always, for a consumer of another node if the driver can tell.
func (l *Layer) TrySend(ctx context.Context, channel string, e *protocol.Event) error {
	if err := l.usable(ctx, ValidChannel(channel)); err != nil {
		return err
	}
	if err := events.Seal(e); err != nil {
		return err
	}
	e = withoutPosition(e)
	if m, here := l.channels.Get(channel); here {
		deliverTo(m, e)
		return nil
	}
	node, specific := driver.NodeOf(channel)
	switch {
	case !specific:
		return l.push(ctx, channel, e)
	case node == l.Node():
		l.counters.countUnheard(ctx, channel, e.Type())
		return ErrNoConsumer
	}
	return l.backEnd().send(ctx, channel, e)
}

// push adds e to a named channel.
func (l *Layer) push(ctx context.Context, channel string, e *protocol.Event) error {
	b := l.backEnd()
	d, err := b.queuer()
	if err != nil {
		return err
	}
	ctx, end := b.startGiving(ctx)
	return end(d.Push(ctx, channel, e))
}

// Pull waits for an event in a named channel until ctx is done, removes it and returns it.
// One call only gets each event. Workers call Pull.
func (l *Layer) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	if err := l.usable(ctx, ValidChannel(channel)); err != nil {
		return nil, err
	}
	if _, specific := driver.NodeOf(channel); specific {
		return nil, fmt.Errorf("wye: %q is a consumer's channel, of which events are not pulled", channel)
	}
	d, err := l.backEnd().queuer()
	if err != nil {
		return nil, err
	}
	plumbing.WillWait(ctx)
	return d.Pull(ctx, channel)
}

// Bind gives m a channel name: Send with this name delivers to m until unbind is called. It
// returns an error if the name is in use or invalid. Sends on other nodes reach only names
// that NewChannel has returned. Consumers use consumer.Conn.Channel.
func (l *Layer) Bind(channel string, m Member) (unbind func(), err error) {
	if err := ValidChannel(channel); err != nil {
		return nil, err
	}
	s := l.channels.Shard(channel)
	s.Lock()
	defer s.Unlock()
	if s.Get(channel) != nil {
		return nil, fmt.Errorf("wye: the channel name %q is already in use", channel)
	}
	s.Put(channel, m)
	return sync.OnceFunc(func() {
		s.Lock()
		defer s.Unlock()
		s.Delete(channel)
	}), nil
}

// NewChannel returns a name for one consumer's channel, unique among all nodes.
func (l *Layer) NewChannel() string { return driver.NewChannel(l.Node()) }
