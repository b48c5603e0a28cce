package driver

import (
	"context"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Driver connects the layers of several processes, its nodes. A layer does all that
// concerns its own process by itself; the driver carries what other nodes are to have.
//
// All methods but Start are safe for concurrent use, and return when the back end has
// taken the call, or with an error that says why it has not:
//
//   - ctx's error if ctx ends first, which a call that waits notices. A call whose ctx
//     has ended when it starts does nothing.
//   - An error that matches ErrDown while the back end cannot be reached, also if that
//     is found out while the call waits. Nothing is kept for later, except what
//     Subscribe is asked for.
//   - An error that matches ErrLayerClosed if Close comes before the call has been taken. A
//     layer makes no calls after Close has returned, but some may be on their way to
//     the driver while Close runs.
//
// The layer bounds the ctx of every call but Start, Pull and Close by [CallTimeout], because
// a callback that sends waits for Publish. If the ctx of a caller with more time ends so,
// the caller receives an error that matches ErrDown as well as the driver's. Nothing else
// waits for a slow call: members of the sender's process have the event before Publish is
// called, and calls of other goroutines are made side by side, except those of Subscribe.
//
// No method is called with a lock held.
//
// What a driver can store is in optional interfaces: [Queuer], [Historian], [Presencer].
type Driver interface {
	// Start connects and starts delivery to r. It is called once, before all other
	// methods. It fails if the back end cannot be reached, and then leaves nothing
	// behind: Close is not called. From then on the driver reconnects by itself, as
	// often as it takes, and reports to r.
	Start(ctx context.Context, r Receiver) error
	// Subscribe adds groups to those that this node receives, and drops others. No
	// group is in both; one that is subscribed already may be added, and one that is
	// not may be dropped. When it has returned nil, what another node publishes to an
	// added group from then on reaches r, and what is published to a dropped one does
	// not. While the back end is down Subscribe remembers the groups, returns an error
	// that matches ErrDown, and makes up for it when the back end is up again; after
	// another error it may be called again with the same groups. Calls never overlap.
	Subscribe(ctx context.Context, add, drop []string) error
	// Publish sends e to group on all other nodes, once to each, and never back to this
	// one. What one goroutine publishes to one group arrives in that order. e is sealed
	// and shared; Payload(e) is what to send, and what arrives must be made by
	// NewEvent of bytes that nothing else uses.
	//
	// The callback that sends waits for Publish, CallTimeout at most, and nothing else
	// does. A driver may send what several goroutines publish in one batch.
	Publish(ctx context.Context, group string, e *protocol.Event) error
	// Send sends e to the channel of another node's consumer; NodeOf returns the node of
	// its name. What one goroutine sends to one channel stays in that order. A consumer
	// or node that is not there is not an error, or ErrNoConsumer if the driver can tell.
	Send(ctx context.Context, channel string, e *protocol.Event) error
	// Close stops delivery and releases everything, also if the back end is down.
	// Calls that wait return an error that matches ErrLayerClosed. When Close has returned,
	// r is no longer called. It is called once.
	Close(ctx context.Context) error
}

// CallTimeout is how long a layer waits for a call of its driver. A callback that sends waits
// for no longer.
const CallTimeout = 5 * time.Second

// Queuer is a [Driver] that has named channels, which hold work until a worker takes it.
// If it has a method Expired() int64, that returns how many events were dropped because
// they waited too long, for Layer.Stats.
type Queuer interface {
	Driver
	Puller

	// Push adds e to a named channel, where it waits until it is pulled, on any node.
	// ErrChannelFull means that the channel holds as many events as it may.
	Push(ctx context.Context, channel string, e *protocol.Event) error
}

// Puller is where a layers.Worker takes events from: a Layer, as a rule.
type Puller interface {
	// Pull takes the oldest event from a named channel, and waits for one until ctx is
	// done. Each event is taken once, by one caller: if Pull returns an error, ctx's
	// too, it has taken none. Events that wait too long are dropped.
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
	// State reports that the back end is down, because of cause, or up again, if cause
	// is nil. It is up after Start. When the driver reports that it is up again, what
	// this node has subscribed to reaches it; a Gap follows.
	State(cause error)
	// Gap reports that events of these groups, or of all that are subscribed if none is
	// given, may have been lost: after the connection was down, or when the back end
	// says so.
	Gap(groups ...string)
}
