package driver

import (
	"context"
	"fmt"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Historian is a [Driver] that keeps the history of groups.
type Historian interface {
	Driver

	// Append gives e the next position in the group's history, stores it, and delivers
	// AtPosition(e, position) by Receiver.Group. It delivers it to all nodes that have
	// subscribed to the group, this node included, in the order of the offsets. k bounds
	// the history of the group from now on; none of its fields is zero. A new history,
	// also one that replaces a lost one, has a new epoch. If Append returns an error, no
	// node has received e.
	Append(ctx context.Context, group string, e *protocol.Event, k Retention) (protocol.Position, error)
	// Read returns the stored events in r, whose Limit is not negative. If r.After is zero,
	// or is not in the history, reading starts with the oldest stored event;
	// History.Complete distinguishes the two. Events that are appended after Read are
	// delivered to every node that had subscribed before Read.
	Read(ctx context.Context, group string, r Range) (History, error)
}

// Retention says how much of a group's history is kept: the last MaxEvents events, and none
// that is older than MaxAge. A zero field has its default; a field that is negative or
// above its maximum is an error of Layer.Record. The Retention of the latest record holds for
// the whole group.
type Retention struct {
	MaxEvents int           // default DefaultRetentionEvents, at most MaxRetentionEvents
	MaxAge    time.Duration // default DefaultRetentionAge, at most MaxRetentionAge
}

// The defaults and maxima of a [Retention].
const (
	DefaultRetentionEvents = 100
	DefaultRetentionAge    = time.Hour
	MaxRetentionEvents     = 10_000
	MaxRetentionAge        = 7 * 24 * time.Hour
)

// WithDefaults returns k with the defaults in place of zero fields. The error says which
// bound k exceeds.
func (k Retention) WithDefaults() (Retention, error) {
	if k.MaxEvents < 0 || k.MaxEvents > MaxRetentionEvents || k.MaxAge < 0 || k.MaxAge > MaxRetentionAge {
		return k, fmt.Errorf("wye: a history keeps at most %d events for %v, and not %d for %v; keep more in a database",
			MaxRetentionEvents, MaxRetentionAge, k.MaxEvents, k.MaxAge)
	}
	if k.MaxEvents == 0 {
		k.MaxEvents = DefaultRetentionEvents
	}
	if k.MaxAge == 0 {
		k.MaxAge = DefaultRetentionAge
	}
	return k, nil
}

// Range is the part of a group's history that is read. The zero value is the whole history.
type Range struct {
	// After is the position behind which reading starts, usually that of the last event
	// that the reader has. The zero position is before the first event.
	After protocol.Position
	// Limit is how many events are read at most. 0 means all stored events.
	Limit int
	// Newest has the last Limit events of the range read instead of the first ones. If
	// events are left out, the History is not Complete.
	Newest bool
}

// History is what was read of a group's history.
type History struct {
	// Events are the events with their positions, the oldest first. They are shared: the
	// reader must not change their payloads, but may change the slice.
	Events []*protocol.Event
	// Last is the position of the group's newest event, whether or not it is among
	// Events. It is the zero value if the group has no history.
	Last protocol.Position
	// Complete reports whether no event is missing between Range.After and Events.
	// Otherwise events in between have expired, or the history was lost and has started
	// anew, and Events has the events that are left. A reader that needs the missing ones
	// reads them from the program's own database.
	Complete bool
}
