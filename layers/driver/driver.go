package driver

import (
	"context"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Driver connects the layers of several processes, its nodes. A layer delivers to the
// members of its own process by itself; the driver carries events to other nodes.
//
// All methods but Start must be safe for concurrent use. They return when the back end has
// accepted the call, or return an error:
//
//   - The error of ctx if ctx ends first, also while the call waits. If ctx has ended when
//     the method is called, it does nothing.
//   - An error that matches ErrDown if the back end cannot be reached, also if the driver
//     detects it while the call waits. The call is not repeated later, except that
//     Subscribe remembers its groups.
//   - An error that matches ErrLayerClosed if Close is called before the back end has
//     accepted the call. A layer does not call methods after Close has returned, but may do
//     so while Close runs.
//
// The layer limits the ctx of every call but Start, Pull and Close to [CallTimeout], because
// a callback that sends waits for Publish. If that limit ends a call, the layer's caller
// gets an error that matches ErrDown and the driver's error. Only the goroutine that sends
// waits for a slow Publish: members in its process have got the event before, and other
// goroutines may call the driver at the same time. Calls of Subscribe never overlap.
//
// The layer holds no lock when it calls a method.
//
// A driver that stores events or presences implements optional interfaces: [Queuer],
// [Historian], [Presencer].
type Driver interface {
	// Start connects to the back end and starts delivery to r. It is called once, before
	// all other methods. If the back end cannot be reached, it releases its resources and
	// returns an error; Close is not called then. After Start has returned nil, the
	// driver reconnects by itself, as often as necessary, and reports to r.
	Start(ctx context.Context, r Receiver) error
	// Subscribe adds the groups add to those that this node receives, and removes the
	// groups drop. No group is in both. A group in add may be subscribed already, and one
	// in drop may not be subscribed. When Subscribe has returned nil, events that other
	// nodes publish afterwards to the groups in add reach r, and events to the groups in
	// drop do not. While the back end is down, Subscribe returns an error that matches
	// ErrDown; the driver remembers the groups and subscribes to them when the back end
	// is up again. After another error the layer may call it again with the same groups.
	// Calls never overlap.
	Subscribe(ctx context.Context, add, drop []string) error
	// Publish sends e to group on all other nodes, once to each, and never to this node.
	// Events that one goroutine publishes to one group arrive in that order. The driver
	// sends Payload(e), and must not change e. The driver of the receiving node makes the
	// event with NewEvent, of bytes that nothing else uses.
	//
	// The goroutine that sends waits for Publish, for CallTimeout at most. A driver may
	// send the events of several calls in one batch.
	Publish(ctx context.Context, group string, e *protocol.Event) error
	// Send sends e to the channel of a consumer on another node; NodeOf returns that node.
	// Events that one goroutine sends to one channel arrive in that order. If the consumer
	// or the node does not exist, Send returns nil, or ErrNoConsumer if the driver can
	// detect it.
	Send(ctx context.Context, channel string, e *protocol.Event) error
	// Close stops delivery and releases all resources, also if the back end is down.
	// Calls that wait return an error that matches ErrLayerClosed. The driver does not
	// call r after Close has returned. The layer calls Close once.
	Close(ctx context.Context) error
}

// CallTimeout is how long a layer waits for a call of its driver at most, and so for how
// long a callback that sends waits.
const CallTimeout = 5 * time.Second

// Queuer is a [Driver] that has named channels, which store events until a worker pulls
// them. It may also have a method Expired() int64, which returns how many events were
// dropped because they waited too long, for Layer.Stats.
type Queuer interface {
	Driver
	Puller

	// Push adds e to a named channel, where it waits for a Pull on any node. It returns
	// ErrChannelFull if the channel is full.
	Push(ctx context.Context, channel string, e *protocol.Event) error
}

// Puller has the named channels from which a layers.Worker receives events. It is usually a
// Layer.
type Puller interface {
	// Pull waits for an event in a named channel until ctx is done, removes the oldest
	// one and returns it. Only one caller gets each event. If Pull returns an error, it
	// has removed no event. Events that wait too long are dropped.
	Pull(ctx context.Context, channel string) (*protocol.Event, error)
}

// Local is a [Driver] that can say that its node is the only one. Package memory has such a
// driver.
type Local interface {
	Driver

	// Local reports whether this node is the only one, now and later. The layer asks
	// before Start. If it is, the layer does not call Subscribe, Publish and Send, and
	// the driver delivers the events of all groups, such as those of Append, as if the
	// node had subscribed to them.
	Local() bool
}

// Receiver has the methods by which a driver delivers events to the layer of its node.
// Package layers implements it. The driver may call it from any goroutine, but must pass
// the events of one group in order, one call after the other. The methods do not block and
// do not run code of the application.
type Receiver interface {
	// Node is the name of this node, unique among all. NodeOf returns it for the
	// channels of its consumers.
	Node() string
	// Group delivers an event to a group of this node.
	Group(group string, e *protocol.Event)
	// Channel delivers an event to one of this node's channels.
	Channel(channel string, e *protocol.Event)
	// State reports that the back end is down, because of cause, or up again, if cause is
	// nil. After Start it is up. Before the driver reports that it is up again, it must
	// have subscribed to the groups of this node; then it calls Gap.
	State(cause error)
	// Gap reports that events of these groups may have been lost, or of all subscribed
	// groups if none is given. The driver calls it after the connection was down, or when
	// the back end reports a loss.
	Gap(groups ...string)
}
