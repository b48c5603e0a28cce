package store

import (
	"time"

	"github.com/wye-go/wye/protocol"
)

// Linger is how long a history without events still knows its epoch and offset, so
// that whoever returns to a quiet group is not told that something may be missing.
const Linger = time.Hour

// Ring is the history of one group: its last events, each with an offset. It is not
// safe for concurrent use, and no time that it is given may be before an earlier one.
type Ring struct {
	epoch  string
	last   uint64        // offset of the newest event ever
	newest time.Time     // when that came
	age    time.Duration // until which events are kept
	kept   []entry       // oldest first, without a gap: the last one has the offset last
}

type entry struct {
	event *protocol.Event
	at    time.Time
}

// Range is what to read: a layers.Range.
type Range struct {
	After  protocol.Position
	Limit  int
	Newest bool
}

// Page is what was read: at most so many events, oldest first. It is a
// layers.History.
type Page struct {
	Events   []*protocol.Event
	Last     protocol.Position
	Complete bool
}

// NewRing returns an empty history. Two histories must not have one epoch.
func NewRing(epoch string) *Ring { return &Ring{epoch: epoch} }

// Append adds e, and returns it with its place. The last so many events are kept
// from now on, no older than age.
func (r *Ring) Append(e *protocol.Event, events int, age time.Duration, now time.Time) *protocol.Event {
	r.last++
	e = e.At(r.Last())
	r.newest, r.age = now, age
	r.kept = append(r.kept, entry{e, now})
	r.drop(len(r.kept) - events)
	r.Trim(now)
	return e
}

// Last is the place of the newest event, also if it is not kept any more. It is
// the zero value if there never was one.
func (r *Ring) Last() protocol.Position {
	if r.last == 0 {
		return protocol.Position{}
	}
	return protocol.Position{Epoch: r.epoch, Offset: r.last}
}

// Read returns what is kept behind what.After: the first what.Limit events, or the
// last ones if what.Newest is set, or all if what.Limit is not positive. A position that
// the history does not know is like none at all, except that the page is not complete.
// Nor is it if Newest leaves events out.
func (r *Ring) Read(what Range, now time.Time) Page {
	r.Trim(now)
	after := what.After
	first := r.last - uint64(len(r.kept)) // the offset before the first that is kept
	known := after.IsZero() || after.Epoch == r.epoch && after.Offset <= r.last
	if !known {
		after = protocol.Position{}
	}
	p := Page{Last: r.Last(), Complete: known && after.Offset >= first}
	rest := r.kept[max(after.Offset, first)-first:]
	switch more := len(rest) - what.Limit; {
	case what.Limit <= 0 || more <= 0:
	case what.Newest:
		rest, p.Complete = rest[more:], false
	default:
		rest = rest[:what.Limit]
	}
	if len(rest) > 0 {
		p.Events = make([]*protocol.Event, len(rest))
	}
	for i := range rest {
		p.Events[i] = rest[i].event
	}
	return p
}

// Nothing is what is read where there is no history.
func Nothing(after protocol.Position) Page { return Page{Complete: after.IsZero()} }

// Trim lets go of what is too old.
func (r *Ring) Trim(now time.Time) {
	n := 0
	for n < len(r.kept) && now.Sub(r.kept[n].at) >= r.age {
		n++
	}
	r.drop(n)
}

// Forgotten reports whether the history may be dropped as a whole: it has had no
// events for as long as it lingers.
func (r *Ring) Forgotten(now time.Time) bool { return now.Sub(r.newest) >= r.age+Linger }

// Len is how many events are kept.
func (r *Ring) Len() int { return len(r.kept) }

// drop lets go of the n oldest. append moves what is left to new memory now and
// then, which is how the old one goes.
func (r *Ring) drop(n int) {
	if n <= 0 {
		return
	}
	clear(r.kept[:n])
	r.kept = r.kept[n:]
	if len(r.kept) == 0 {
		r.kept = nil
	}
}
