package layers

import (
	"context"
	"errors"

	"github.com/wye-go/wye/protocol"
)

// Driver connects the layers of several processes, its nodes. A [Layer] does all
// that concerns its own process by itself; the driver carries what others are to
// have. Package layertest has the suite that every driver must pass, and a driver
// within one process, for tests.
//
// All methods but Start are safe for concurrent use, and return when the back end
// has taken the call, or with an error that says why it has not:
//
//   - ctx's error if ctx ends before, of which a call that waits takes notice.
//     A call whose ctx has ended when it begins does nothing.
//   - One that matches ErrDown while the back end cannot be reached, also if
//     that is found out while the call waits. Nothing is kept for later, but what
//     Subscribe is asked for.
//   - One that matches ErrClosed if Close comes before the call has been taken.
//     A layer makes no calls after Close has returned, but some may be on their
//     way to the driver while Close runs.
//
// None is called with a lock held.
//
// That these are six methods, with Puller's, is one more than this project likes:
// each is about something else, and a driver without one of them is half a driver.
type Driver interface {
	Puller

	// Start connects and begins delivery to r. It is called once, before all
	// others. It fails if the back end cannot be reached, and then leaves nothing
	// behind: Close is not called. From then on the driver connects again by
	// itself, as often as it takes, and tells r.
	Start(ctx context.Context, r Receiver) error
	// Subscribe adds groups to those that this node gets, and drops others. No
	// group is in both; one that is there already may be added, and one that is
	// not may be dropped. From when it has returned nil, whatever another node
	// publishes to an added group reaches r, and nothing that is published to a
	// dropped one does. While the back end is down it remembers, returns an
	// error that matches ErrDown, and makes up for it when it is up again; after
	// another error it may be asked again for the same. Calls never overlap.
	Subscribe(ctx context.Context, add, drop []string) error
	// Publish sends e to group on all other nodes, once to each, and never back to
	// this one. What one goroutine publishes to one group arrives in that order. e
	// is sealed and shared; e.Wire is what to send, and what arrives must be made
	// by protocol.FromWire of bytes that nothing else uses.
	Publish(ctx context.Context, group string, e *protocol.Event) error
	// Send sends e to a channel: one of another node's consumers, whose names
	// begin with "specific.", that node's name and "!", or a named one, where it
	// waits until a worker pulls it. What one goroutine sends to one channel stays
	// in that order. A consumer or node that is not there is not an
	// error, or ErrNobody if the driver can tell. ErrFull means that as
	// many wait in a named channel as may; only what waits there is counted.
	Send(ctx context.Context, channel string, e *protocol.Event) error
	// Close stops delivery and lets go of everything, also if the back end is
	// down. Calls that wait return an error that matches ErrClosed. When it has
	// returned, r is not called any more. It is called once.
	Close(ctx context.Context) error
}

// Puller is where a [Worker] takes events from: a [Layer], as a rule.
type Puller interface {
	// Pull takes the oldest event from a named channel, and waits for one as long
	// as ctx lasts. Each event is taken once, by one of those who pull: if Pull
	// returns an error, ctx's too, it has taken none. Events that wait too long
	// are dropped.
	Pull(ctx context.Context, channel string) (*protocol.Event, error)
}

// Receiver is the node's side of a Driver, which calls it from any goroutine. It
// takes what it is given at once and runs no code of the application. What
// belongs to one group must come in order, so one call after the other.
type Receiver interface {
	// Node is the name of this node, unique among all. Channels whose names
	// begin with "specific." and Node and "!" are here.
	Node() string
	// Group takes an event for a group, which another node has published.
	Group(group string, e *protocol.Event)
	// Channel takes an event for one of this node's channels.
	Channel(channel string, e *protocol.Event)
	// State tells that the back end is down, because of cause, or up again, if
	// cause is nil. It is up after Start. When it is told to be up again, what
	// this node has subscribed to reaches it; a Gap follows.
	State(cause error)
	// Gap tells that events of these groups, or of all that are subscribed if
	// none is given, may have been lost: after the connection was down, or
	// when the back end says so.
	Gap(groups ...string)
}

// The errors of a layer with a driver. Match them with errors.Is.
var (
	// ErrDown means that the back end cannot be reached. Members in this
	// process get what is sent all the same, and nobody else does.
	ErrDown = errors.New("wye: the layer's back end is down; delivery within this process goes on")
	// ErrFull means that as many events as may wait in a channel already do,
	// and that this one was not taken.
	ErrFull = errors.New("wye: the channel is full; its worker is too slow or not running")
	// ErrClosed means that the layer has been closed.
	ErrClosed = errors.New("wye: the layer is closed")
)
