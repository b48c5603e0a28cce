package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/centrifugal/centrifuge"

	"github.com/wye-go/wye/bench/internal/node"
)

// hub is the node, driven.
type hub struct {
	node   *centrifuge.Node
	broker *broker
	last   *centrifuge.StreamPosition // of the group whose messages are kept
}

// Join makes a new client subscribe.
func (h *hub) Join(ctx context.Context, group string, m *node.Member) error {
	c, _, err := centrifuge.NewClient(context.WithoutCancel(ctx), h.node, &transport{member: m, broker: h.broker})
	if err != nil {
		return err
	}
	c.Connect(centrifuge.ConnectRequest{})
	return c.Subscribe(group)
}

// Send publishes a message.
func (h *hub) Send(_ context.Context, group string, sentAt int64) error {
	_, err := h.node.Publish(group, text(sentAt))
	return err
}

func text(sentAt int64) []byte { return fmt.Appendf(nil, `{"t":%d,"text":%q}`, sentAt, node.Text) }

// broker is centrifuge's Redis broker. It remembers when the message was sent that the node
// is passing to its clients.
type broker struct {
	*centrifuge.RedisBroker

	presences centrifuge.PresenceManager
	sentAt    atomic.Int64
}

// RegisterBrokerEventHandler puts a handler in front of the node's.
func (b *broker) RegisterBrokerEventHandler(h centrifuge.BrokerEventHandler) error {
	return b.RedisBroker.RegisterBrokerEventHandler(handler{h, b})
}

type handler struct {
	centrifuge.BrokerEventHandler

	broker *broker
}

// HandlePublication is called for one message of a channel after the other, and returns when
// all clients have got it. Only one channel has messages at a time.
func (h handler) HandlePublication(
	ch string, p *centrifuge.Publication, sp centrifuge.StreamPosition, delta bool, prev *centrifuge.Publication,
) error {
	if digits, ok := bytes.CutPrefix(p.Data, []byte(`{"t":`)); ok {
		digits, _, _ = bytes.Cut(digits, []byte(","))
		t, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil {
			return err
		}
		h.broker.sentAt.Store(t)
	}
	return h.BrokerEventHandler.HandlePublication(ch, p, sp, delta, prev)
}

// transport counts what a client is to be sent, and declines it: nothing is put on the
// client's queue.
type transport struct {
	member *node.Member
	broker *broker
}

const everything = centrifuge.PushFlagConnect | centrifuge.PushFlagDisconnect | centrifuge.PushFlagSubscribe |
	centrifuge.PushFlagUnsubscribe | centrifuge.PushFlagJoin | centrifuge.PushFlagLeave | centrifuge.PushFlagPublication

// DisabledPushFlags is called for each delivery. Before, it has been called when the client
// has connected and subscribed: node counts anew after that.
func (t *transport) DisabledPushFlags() uint64 {
	if t.member.Count() {
		t.member.Latency(t.broker.sentAt.Load())
	}
	return everything
}

// Write is not called.
func (*transport) Write([]byte) error { return nil }

// WriteMany is not called.
func (*transport) WriteMany(...[]byte) error { return nil }

// Close has nothing to close.
func (*transport) Close(centrifuge.Disconnect) error { return nil }

// Name is that of no transport.
func (*transport) Name() string { return "nowhere" }

// AcceptProtocol is not known.
func (*transport) AcceptProtocol() string { return "" }

// Protocol is centrifuge's default.
func (*transport) Protocol() centrifuge.ProtocolType { return centrifuge.ProtocolTypeJSON }

// ProtocolVersion is the only one.
func (*transport) ProtocolVersion() centrifuge.ProtocolVersion { return centrifuge.ProtocolVersion2 }

// Unidirectional has clients connect without a command.
func (*transport) Unidirectional() bool { return true }

// Emulation is not needed.
func (*transport) Emulation() bool { return false }

// PingPongConfig has no pings.
func (*transport) PingPongConfig() centrifuge.PingPongConfig {
	return centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1}
}
