package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/centrifugal/centrifuge"
	"github.com/prometheus/client_golang/prometheus"
)

// newCentrifuge is a node with its in-memory broker and clients that decline
// everything: nothing is put on their queues.
func newCentrifuge(tb testing.TB) *hub {
	tb.Helper()
	node, data := newNode(tb)
	return &hub{
		member: func() (member, error) { return newClient(node, &transport{}) },
		join:   subscribe,
		leave:  unsubscribe,
		sends: map[string]func(string) error{
			broadcast: func(group string) error { _, err := node.Publish(group, data); return err },
		},
	}
}

// newQueued is the same with clients that decline no publication. A send ends when each of them has
// written it, for which it is woken. It is for one group only.
func newQueued(tb testing.TB) *hub {
	tb.Helper()
	node, data := newNode(tb)
	w := &writes{done: make(chan struct{})}
	return &hub{
		member: func() (member, error) { return w.client(node) },
		join: func(group string, m member) error {
			w.members++
			return subscribe(group, m)
		},
		leave: func(group string, m member) {
			w.members--
			unsubscribe(group, m)
		},
		sends: map[string]func(string) error{
			broadcast: func(group string) error {
				w.left.Store(w.members)
				_, err := node.Publish(group, data)
				if err == nil {
					<-w.done
				}
				return err
			},
		},
	}
}

func newNode(tb testing.TB) (*centrifuge.Node, []byte) {
	tb.Helper()
	node, err := centrifuge.New(centrifuge.Config{
		ClientStaleCloseDelay: -1, // those that are not connected stay
		Metrics:               centrifuge.MetricsConfig{RegistererGatherer: prometheus.NewRegistry()},
	})
	if err != nil {
		tb.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	if err := node.Run(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := node.Shutdown(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	data, err := json.Marshal(line{said})
	if err != nil {
		tb.Fatal(err)
	}
	return node, data
}

// writes are those of one send that are still to come.
type writes struct {
	members int64
	left    atomic.Int64
	done    chan struct{}
}

func (w *writes) client(node *centrifuge.Node) (*client, error) {
	return newClient(node, &transport{writes: w})
}

// client is a member.
type client struct {
	*centrifuge.Client
	*transport
}

func newClient(node *centrifuge.Node, t *transport) (*client, error) {
	c, _, err := centrifuge.NewClient(context.Background(), node, t)
	if err != nil {
		return nil, err
	}
	c.Connect(centrifuge.ConnectRequest{}) // before that, it cannot leave
	return &client{c, t}, nil
}

var errNotCentrifuge = errors.New("that is another hub's member")

func subscribe(group string, m member) error {
	c, ok := m.(*client)
	if !ok {
		return errNotCentrifuge
	}
	return c.Subscribe(group)
}

func unsubscribe(group string, m member) {
	if c, ok := m.(*client); ok {
		c.Unsubscribe(group)
	}
}

// transport leads nowhere.
type transport struct {
	counter

	writes *writes // nil: what is published is declined
}

// Everything but publications is declined.
const others = centrifuge.PushFlagConnect | centrifuge.PushFlagDisconnect | centrifuge.PushFlagSubscribe |
	centrifuge.PushFlagUnsubscribe | centrifuge.PushFlagJoin | centrifuge.PushFlagLeave

// DisabledPushFlags is called for each delivery, and when there is something else
// to be told.
func (t *transport) DisabledPushFlags() uint64 {
	if t.writes != nil {
		return others
	}
	t.n.Add(1)
	return others | centrifuge.PushFlagPublication
}

// Write counts a message.
func (t *transport) Write([]byte) error {
	t.n.Add(1)
	if t.writes.left.Add(-1) == 0 {
		t.writes.done <- struct{}{}
	}
	return nil
}

// WriteMany counts them.
func (t *transport) WriteMany(all ...[]byte) error {
	for _, one := range all {
		if err := t.Write(one); err != nil {
			return err
		}
	}
	return nil
}

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
