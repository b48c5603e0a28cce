package driver

import (
	"context"
	"encoding/json"
	"time"
)

// Presencer is a [Driver] that implements presence.
//
// It sends Entered, Changed and Exited to all nodes that have subscribed to the group,
// this one too, through Receiver.Group, and in order. What a dead node had entered exits
// after a while; how the driver finds out that a node is dead is its own business, and so
// is entering again what a node that was taken for dead still has.
type Presencer interface {
	Driver

	// Enter adds p to group, or replaces the presence that has its ID; if that has the
	// same Key, its Since stays, and if the Meta has other bytes that is Changed. All
	// fields of p are set and within bounds. After an error p has not entered.
	Enter(ctx context.Context, group string, p Presence) error
	// Exit removes a presence that this node has entered; if it is not there, Exit has
	// no effect. Once Exit has started, the driver completes it sooner or later: after
	// an error that matches ErrDown when the back end is up again, and also if ctx ends
	// before the back end has answered. The layer does not repeat the call for a
	// connection that has closed.
	//
	// If linger is not zero the presence stays for that long. Until then, an Enter of
	// the same Key, on any node, replaces it: that is neither Exited nor Entered, but
	// Changed if the Meta has other bytes. A driver may cut the time short when the
	// back end is down or the node dies.
	Exit(ctx context.Context, group, id string, linger time.Duration) error
	// Present returns all presences of group, on all nodes, or those of one key if key
	// is not empty, ordered by Since and then by ID.
	Present(ctx context.Context, group, key string) ([]Presence, error)
	// Count returns how many there are, on all nodes, without reading them.
	Count(ctx context.Context, group string) (PresenceCount, error)
}

// Presence is one entry of a group: a key that is present, such as a user. Presence is independent of
// membership.
type Presence struct {
	// ID identifies the presence, such as a connection, in its group: 1 to MaxName
	// bytes.
	ID string `json:"id"`
	// Key is what others see, such as a user; a key may be present more than once: 1 to
	// MaxKey bytes.
	Key string `json:"key"`
	// Meta is what others see of them, as JSON, at most MaxMeta bytes; or nil.
	Meta json.RawMessage `json:"meta,omitempty"`
	// Since is when it entered. If it is the zero time, the layer sets it.
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

// PresenceCount is how many are present in a group.
type PresenceCount struct {
	Keys      int // different keys, such as users
	Presences int // such as connections, of which a user may have several
}
