package driver

import "github.com/wye-go/wye/protocol"

// The names are constants so that IsLayerEvent is a switch.
const (
	downName    = "layer.down"
	upName      = "layer.up"
	gapName     = "layer.gap"
	enteredName = "presence.join"
	changedName = "presence.change"
	exitedName  = "presence.leave"
)

// StateEvent is the payload of [Down] and [Up].
type StateEvent struct {
	Cause string `json:"cause"` // of Down
}

// GapEvent is the payload of [Gap].
type GapEvent struct {
	Group string `json:"group"`
}

// PresenceEvent is the payload of [Entered], [Changed] and [Exited].
type PresenceEvent struct {
	Group    string   `json:"group"`
	Presence Presence `json:"presence"`
}

// What a layer sends about itself, when its driver reports it through [Receiver.State]
// and [Receiver.Gap].
var (
	// Down says that other nodes cannot be reached.
	Down = protocol.EventType[StateEvent]{Name: downName}
	// Up says that the other nodes can be reached again, after a Down.
	Up = protocol.EventType[StateEvent]{Name: upName}
	// Gap says that events of a group may have been lost.
	Gap = protocol.EventType[GapEvent]{Name: gapName}
)

// What a [Presencer] sends to all nodes that have subscribed to the group.
var (
	// Entered says that a key is present now, with its first presence.
	Entered = protocol.EventType[PresenceEvent]{Name: enteredName}
	// Changed says that a presence of a key that is present has other metadata now,
	// with that presence.
	Changed = protocol.EventType[PresenceEvent]{Name: changedName}
	// Exited says that a key has left the group, with its last presence.
	Exited = protocol.EventType[PresenceEvent]{Name: exitedName}
)

// IsLayerEvent reports whether typ is the type of one of these events, which only members
// that watch the layer receive.
func IsLayerEvent(typ string) bool {
	switch typ {
	case downName, upName, gapName, enteredName, changedName, exitedName:
		return true
	}
	return false
}
