package store

import (
	"crypto/rand"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// Linger is how long a history without events still knows its epoch and offset, so that
// a reader that returns to a quiet group is not told that something may be missing.
const Linger = time.Hour

// History is the history of one group: its last events, each with an offset. It is not
// safe for concurrent use. Times must not decrease from call to call. Read and
// IsForgotten of a nil History are those of a group without history.
type History struct {
	epoch  string
	last   uint64        // offset of the newest event ever
	newest time.Time     // when that was appended
	age    time.Duration // until which events are kept
	kept   []entry       // oldest first, without a gap: the last one has the offset last
}

type entry struct {
	event *protocol.Event
	at    time.Time
}

// NewHistory returns an empty history. Two histories must not have the same epoch.
func NewHistory(epoch string) *History { return &History{epoch: epoch} }

// Continue returns h, or a new history with an epoch of its own if h is nil or forgotten.
func (h *History) Continue(now time.Time) *History {
	if !h.IsForgotten(now) {
		return h
	}
	return NewHistory(rand.Text()[:12])
}

// Append adds e, and returns it with its position. k, which has no zero fields, holds
// from now on.
func (h *History) Append(e *protocol.Event, k driver.Retention, now time.Time) *protocol.Event {
	h.last++
	e = events.At(e, h.lastPosition())
	h.newest, h.age = now, k.MaxAge
	h.kept = append(h.kept, entry{e, now})
	h.drop(len(h.kept) - k.MaxEvents)
	h.Trim(now)
	return e
}

// lastPosition is that of the newest event, also if it is no longer kept. It is the zero
// value if there never was one.
func (h *History) lastPosition() protocol.Position {
	if h.last == 0 {
		return protocol.Position{}
	}
	return protocol.Position{Epoch: h.epoch, Offset: h.last}
}

// Read returns what is kept in r, all of it if r.Limit is not positive. A position that
// the history does not know is read like the zero position, but what is returned is not
// complete.
func (h *History) Read(r driver.Range, now time.Time) driver.History {
	if h.IsForgotten(now) {
		return driver.History{Complete: r.After.IsZero()}
	}
	h.Trim(now)
	after := r.After
	first := h.last - uint64(len(h.kept)) // the offset before the first that is kept
	known := after.IsZero() || after.Epoch == h.epoch && after.Offset <= h.last
	if !known {
		after = protocol.Position{}
	}
	read := driver.History{Last: h.lastPosition(), Complete: known && after.Offset >= first}
	rest := h.kept[max(after.Offset, first)-first:]
	switch more := len(rest) - r.Limit; {
	case r.Limit <= 0 || more <= 0:
	case r.Newest:
		rest, read.Complete = rest[more:], false
	default:
		rest = rest[:r.Limit]
	}
	if len(rest) > 0 {
		read.Events = make([]*protocol.Event, len(rest))
	}
	for i := range rest {
		read.Events[i] = rest[i].event
	}
	return read
}

// Trim drops the events that are too old.
func (h *History) Trim(now time.Time) {
	n := 0
	for n < len(h.kept) && now.Sub(h.kept[n].at) >= h.age {
		n++
	}
	h.drop(n)
}

// IsForgotten reports whether the history can be dropped as a whole: it has had no events
// for as long as it lingers.
func (h *History) IsForgotten(now time.Time) bool {
	return h == nil || now.Sub(h.newest) >= h.age+Linger
}

// Len returns how many events are kept.
func (h *History) Len() int { return len(h.kept) }

// drop drops the n oldest events. append moves the rest to new memory now and then,
// which is when the old memory becomes free.
func (h *History) drop(n int) {
	if n <= 0 {
		return
	}
	clear(h.kept[:n])
	h.kept = h.kept[n:]
	if len(h.kept) == 0 {
		h.kept = nil
	}
}
