package driver

import (
	"context"
	"encoding/json"
	"time"
)

// Presencer is a [Driver] that implements presence.
//
// It delivers the events Entered, Changed and Exited in order, by Receiver.Group, to all
// nodes that have subscribed to the group, this node included. The driver detects that a
// node is dead, and then removes the presences of that node. If it was wrong, it adds them
// again.
type Presencer interface {
	Driver

	// Enter adds p to group, or replaces the presence with the same ID. If that presence
	// has the same Key, its Since stays, and Changed is sent if the Meta differs. All
	// fields of p are set and within bounds. If Enter returns an error, p was not added.
	Enter(ctx context.Context, group string, p Presence) error
	// Exit removes a presence that this node has entered; if there is none, Exit has no
	// effect. The driver completes an Exit that has started, also if it returns an error:
	// when the back end is up again, or when it answers after ctx has ended. The layer
	// does not repeat the call for a connection that has closed.
	//
	// If linger is not zero, the presence stays for that time. An Enter with the same Key
	// during that time, on any node, replaces it. Then neither Exited nor Entered is sent,
	// but Changed if the Meta differs. A driver may shorten the time if the back end is
	// down or the node dies.
	Exit(ctx context.Context, group, id string, linger time.Duration) error
	// Present returns the presences in group, on all nodes, ordered by Since and then by
	// ID: all of them if key is empty, and otherwise those with that Key.
	Present(ctx context.Context, group, key string) ([]Presence, error)
	// Count returns how many presences are in group, on all nodes.
	Count(ctx context.Context, group string) (PresenceCount, error)
}

// Presence is one entry of a group: a key that is present, such as a user. Presence is independent of
// membership.
type Presence struct {
	// ID identifies the presence, such as a connection, in its group: 1 to MaxName
	// bytes.
	ID string `json:"id"`
	// Key is the name under which others see the presence, such as a user: 1 to MaxKey
	// bytes. Several presences may have the same Key.
	Key string `json:"key"`
	// Meta is JSON about the presence that others see, of at most MaxMeta bytes, or nil.
	Meta json.RawMessage `json:"meta,omitempty"`
	// Since is the time when the presence entered. If it is zero, the layer sets it.
	Since time.Time `json:"since"`
}

// The bounds of a [Presence], in bytes. More is an error of Layer.Enter.
const (
	MaxKey  = 256
	MaxMeta = 4 << 10
)

// MaxLinger is how long a presence may linger at most. More is an error of
// Layer.ExitAfter.
const MaxLinger = time.Hour

// PresenceCount is the number of presences in a group.
type PresenceCount struct {
	Keys      int // different keys, such as users
	Presences int // for example connections; a user may have several
}
