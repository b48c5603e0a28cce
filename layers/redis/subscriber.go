package redis

import (
	"context"
	"slices"
	"strings"
	"unsafe"

	"github.com/redis/rueidis"
)

// subscriber is a connection that receives what is published.
type subscriber struct {
	*arrivals

	conn         rueidis.DedicatedClient
	sharded      bool   // it uses sharded Pub/Sub
	probeChannel string // gets probes
	nodeChannel  string // gets what is sent to consumers of this node; "": ownPattern matches their channels
}

// channelsPerCommand is how many channels are subscribed to by one command. Redis does nothing
// else during a command.
const channelsPerCommand = 512

// openSubscriber opens a connection that receives events for the consumers of this node.
func (s *server) openSubscriber(ctx context.Context, c *commands) (intake, error) {
	stop := context.AfterFunc(ctx, c.conns.cancel)
	defer stop()
	conn, _ := c.Dedicate()
	sub := &subscriber{arrivals: newArrivals(s), conn: conn, sharded: s.driver.settings.Sharded, probeChannel: s.probeChannel()}
	sub.failed = conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: sub.onMessage, OnSubscription: sub.onSubscription})
	if err := sub.subscribeOwn(ctx); err != nil {
		sub.close()
		return nil, s.permission(err)
	}
	return sub, nil
}

// subscribeOwn subscribes to what this node needs whatever its groups are.
func (sub *subscriber) subscribeOwn(ctx context.Context) error {
	s := sub.server
	d := s.driver
	isHome := d.homeServer(homeOf(d.node)) == s
	var own []string
	if d.isCluster() {
		own = append(own, sub.probeChannel)
		if isHome && sub.sharded {
			sub.nodeChannel = s.nodeChannel(homeOf(d.node))
			own = append(own, sub.nodeChannel)
		}
	}
	if len(own) > 0 {
		if err := sub.subscribe(ctx, own); err != nil {
			return err
		}
	}
	if d.isCluster() && (!isHome || sub.sharded) {
		return nil
	}
	return sub.conn.Do(ctx, sub.conn.B().Psubscribe().Pattern(d.ownPattern()).Build()).Error()
}

func (sub *subscriber) subscribe(ctx context.Context, channels []string) error {
	if sub.sharded {
		return sub.conn.Do(ctx, sub.conn.B().Ssubscribe().Channel(channels...).Build()).Error()
	}
	return sub.conn.Do(ctx, sub.conn.B().Subscribe().Channel(channels...).Build()).Error()
}

func (sub *subscriber) unsubscribe(ctx context.Context, channels []string) error {
	if sub.sharded {
		return sub.conn.Do(ctx, sub.conn.B().Sunsubscribe().Channel(channels...).Build()).Error()
	}
	return sub.conn.Do(ctx, sub.conn.B().Unsubscribe().Channel(channels...).Build()).Error()
}

// onSubscription is called by the goroutine that reads the connection. Redis ends all
// subscriptions in a slot that has moved.
func (sub *subscriber) onSubscription(n rueidis.PubSubSubscription) {
	if n.Kind == "sunsubscribe" && n.Channel == sub.probeChannel {
		sub.server.kickMoved()
	}
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
		if err := sub.unsubscribe(ctx, some); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(add, channelsPerCommand) {
		if err := sub.subscribe(ctx, some); err != nil {
			if isMoving(err) {
				sub.server.kickMoved()
			}
			return err
		}
	}
	return nil
}

// onMessage is called by the goroutine that reads the connection, for each message.
func (sub *subscriber) onMessage(m rueidis.PubSubMessage) {
	sub.received.Add(1)
	d := sub.server.driver
	p := packet{name: m.Channel, message: bytesOf(m.Message)}
	switch {
	case m.Channel == sub.probeChannel:
		sub.noteProbe(m.Message)
		return
	case m.Pattern != "":
		p.direct = true
	case m.Channel == sub.nodeChannel:
		channel, message, ok := strings.Cut(m.Message, nodeSeparator)
		if !ok {
			return // nodes do not publish that
		}
		p = packet{name: channel, direct: true, message: bytesOf(message)}
	default:
		p.name = m.Channel[len(d.transport.groupPrefix(sub.server)):]
		if !d.isEncrypted() { // here, so that no other goroutine is woken for what this node has sent
			if p.mark = d.codec.MarkOf(p.message); p.mark == d.mark {
				return
			}
		}
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
		if err := sub.server.checkSlot(ctx, c); err != nil {
			return err
		}
		return c.publish(ctx, sub.probeChannel, n).Error()
	})
}
