package layers

import (
	"errors"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// What programs and drivers share, under the names that programs know. Package driver has
// the contracts.
type (
	// Driver connects the layers of several processes. [Open] takes one.
	Driver = driver.Driver
	// Receiver has the methods by which a driver delivers events to the layer of its node.
	Receiver = driver.Receiver
	// Puller is where a [Worker] takes events from: a [Layer], as a rule.
	Puller = driver.Puller
	// Queuer is a Driver that has named channels.
	Queuer = driver.Queuer
	// Historian is a Driver that keeps the history of groups.
	Historian = driver.Historian
	// Presencer is a Driver that implements presence.
	Presencer = driver.Presencer

	// Retention says how much of a group's history [Layer.Record] keeps.
	Retention = driver.Retention
	// Range is the part of a group's history that is read. The zero value is all of it.
	Range = driver.Range
	// History is what was read of a group's history.
	History = driver.History

	// Presence is one entry of a group: a key that is present, such as a user.
	Presence = driver.Presence
	// PresenceCount is how many are present in a group.
	PresenceCount = driver.PresenceCount

	// StateEvent is the payload of [Down] and [Up].
	StateEvent = driver.StateEvent
	// GapEvent is the payload of [Gap].
	GapEvent = driver.GapEvent
	// PresenceEvent is the payload of [Entered], [Changed] and [Exited].
	PresenceEvent = driver.PresenceEvent
)

// Bounds of names, histories and presences. Package driver describes them.
const (
	MaxName = driver.MaxName

	DefaultRetentionEvents = driver.DefaultRetentionEvents
	DefaultRetentionAge    = driver.DefaultRetentionAge
	MaxRetentionEvents     = driver.MaxRetentionEvents
	MaxRetentionAge        = driver.MaxRetentionAge

	MaxKey    = driver.MaxKey
	MaxMeta   = driver.MaxMeta
	MaxLinger = driver.MaxLinger
)

// The errors of a layer. Match them with errors.Is.
var (
	// ErrDown means that the back end cannot be reached. Members in the sender's
	// process receive what is sent all the same; members on other nodes do not.
	ErrDown = driver.ErrDown
	// ErrChannelFull means that the named channel holds as many events as it may, and that
	// this one was not taken.
	ErrChannelFull = driver.ErrChannelFull
	// ErrLayerClosed means that the layer has been closed.
	ErrLayerClosed = driver.ErrLayerClosed
	// ErrNoConsumer means that no consumer has the channel name that [Layer.TrySend] was
	// given.
	ErrNoConsumer = driver.ErrNoConsumer
	// ErrBehind means that too many events of a group wait, because the members that
	// receive them are slow: the event was not recorded, or the member has not joined.
	ErrBehind = driver.ErrBehind
	// ErrJoining means that another JoinFrom of the same member and group has not
	// returned yet.
	ErrJoining = errors.New("wye: another JoinFrom of this member and group has not returned yet")
)

// The events about the state of a layer. A consumer that is in a group receives those for
// which it declares a handler with consumer.On. They wait in its queue like other events.
var (
	// Down says that other nodes cannot be reached.
	Down = protocol.EventType[StateEvent]{Name: driver.Down.Name}
	// Up says that the other nodes can be reached again, after a Down.
	Up = protocol.EventType[StateEvent]{Name: driver.Up.Name}
	// Gap says that events of a group may have been lost: a consumer that must not miss
	// any reads what is missing where it is stored.
	Gap = protocol.EventType[GapEvent]{Name: driver.Gap.Name}
)

// What the members of a group receive about the presences there, on all nodes: those
// members that watch it (see [Watcher]), such as consumers that declared a handler for
// the event with consumer.On. For other members nothing is sent, and nothing waits. The
// events of one group come in the order in which it happened. A consumer that needs the
// list joins the group first, then calls Present, and then applies the events; some of
// them may have been in the answer.
var (
	// Entered says that a key is present now, with its first presence.
	Entered = protocol.EventType[PresenceEvent]{Name: driver.Entered.Name}
	// Changed says that a presence of a key that is present has other metadata now, with
	// that presence. It is any of the key's; its ID says which.
	Changed = protocol.EventType[PresenceEvent]{Name: driver.Changed.Name}
	// Exited says that a key has left the group, with its last presence.
	Exited = protocol.EventType[PresenceEvent]{Name: driver.Exited.Name}
)
