package redis

import (
	"context"
	"slices"
	"unsafe"

	"github.com/redis/rueidis"
)

// subscriber is a connection that receives what is published.
type subscriber struct {
	*arrivals

	conn rueidis.DedicatedClient
}

// channelsPerCommand is how many channels are subscribed to by one command. Redis does nothing
// else during a command.
const channelsPerCommand = 512

// openSubscriber opens a connection that receives events for the consumers of this node.
func (s *server) openSubscriber(ctx context.Context, c *commands) (intake, error) {
	stop := context.AfterFunc(ctx, c.conns.cancel)
	defer stop()
	conn, _ := c.Dedicate()
	sub := &subscriber{arrivals: newArrivals(s), conn: conn}
	sub.failed = conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: sub.onMessage})
	err := conn.Do(ctx, conn.B().Psubscribe().Pattern(s.driver.ownPattern()).Build()).Error()
	if err != nil {
		sub.close()
		return nil, s.permission(err)
	}
	return sub, nil
}

// close closes the connection. After it has returned, nothing more is put into inboxes.
func (sub *subscriber) close() {
	sub.end()
	sub.conn.Close()
	for range sub.failed {
		continue // it is closed when no hook is called any longer
	}
}

// change subscribes to channels and unsubscribes from others.
func (sub *subscriber) change(ctx context.Context, _ *commands, add, drop []string) error {
	for some := range slices.Chunk(drop, channelsPerCommand) {
		if err := sub.conn.Do(ctx, sub.conn.B().Unsubscribe().Channel(some...).Build()).Error(); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(add, channelsPerCommand) {
		if err := sub.conn.Do(ctx, sub.conn.B().Subscribe().Channel(some...).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}

// onMessage is called by the goroutine that reads the connection, for each message.
func (sub *subscriber) onMessage(m rueidis.PubSubMessage) {
	sub.received.Add(1)
	d := sub.server.driver
	direct := m.Pattern != ""
	if direct && m.Channel == d.probeChannel() {
		sub.noteProbe(m.Message)
		return
	}
	p := packet{name: m.Channel, direct: direct, message: bytesOf(m.Message)}
	if !direct {
		p.name = m.Channel[len(d.transport.groupName("")):]
	}
	d.inboxOf(p.name).put(p, sub.arrivals)
}

// bytesOf returns the bytes of s, which must not be changed.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // nothing changes them
}

// probe publishes a message and waits until the subscriber has received it.
func (sub *subscriber) probe(ctx context.Context, c *commands) error {
	return sub.probeThrough(ctx, c, func(ctx context.Context, n string) error {
		return c.Do(ctx, c.B().Publish().Channel(sub.server.driver.probeChannel()).Message(n).Build()).Error()
	})
}
