// Package catchup decides what becomes of live events while a member reads a group's
// history.
package catchup

import (
	"slices"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// MaxWaiting is how many events may wait for a member that reads history.
const MaxWaiting = 256

// Buffer holds the live events of one member and group back until the history has been
// read; then it is settled. From then on it omits events that were read and arrive late.
// The zero value is ready for use. It is not safe for concurrent use.
type Buffer struct {
	waiting    []*protocol.Event
	overflowed bool
	settled    bool
	last       protocol.Position // what has been read, once settled
}

// Add takes a live event, and reports whether it is to be delivered at once. Otherwise it
// waits, or is omitted.
func (b *Buffer) Add(e *protocol.Event) (deliver bool) {
	switch {
	case b.overflowed:
		return false
	case b.settled:
		return !b.last.Covers(e.Position())
	case len(b.waiting) == MaxWaiting:
		b.overflowed, b.waiting = true, nil
		return false
	}
	b.waiting = append(b.waiting, e)
	return false
}

// Next returns the events that are to be delivered now that the history is read up to
// last. When there are none, more is false and the Buffer is settled. The error is
// driver.ErrBehind if more events have come than may wait.
func (b *Buffer) Next(last protocol.Position) (events []*protocol.Event, more bool, err error) {
	if b.overflowed {
		return nil, false, driver.ErrBehind
	}
	waiting := b.waiting
	b.waiting = nil
	if len(waiting) == 0 {
		b.settled, b.last = true, last
		return nil, false, nil
	}
	for _, e := range waiting {
		if !last.Covers(e.Position()) {
			events = append(events, e)
		}
	}
	return events, true, nil
}

// Strays returns how many events wait up to the last one that was recorded in another
// epoch than the one that has been read.
func (b *Buffer) Strays(epoch string) (n int) {
	for i, e := range b.waiting {
		if isStray(e, epoch) {
			n = i + 1
		}
	}
	return n
}

// DropStrays drops the events of other epochs among the first n that wait.
func (b *Buffer) DropStrays(n int, epoch string) {
	n = min(n, len(b.waiting)) // it may have overflowed meanwhile
	rest := slices.DeleteFunc(slices.Clone(b.waiting[:n]), func(e *protocol.Event) bool { return isStray(e, epoch) })
	b.waiting = append(rest, b.waiting[n:]...)
}

func isStray(e *protocol.Event, epoch string) bool {
	p := e.Position()
	return !p.IsZero() && p.Epoch != epoch
}

// Discard drops the events that wait.
func (b *Buffer) Discard() { b.waiting = nil }

// IsSettled reports whether events no longer wait.
func (b *Buffer) IsSettled() bool { return b.settled }

// IsDone reports whether no event that was read can still arrive once the event at p is
// being delivered: then the Buffer is no longer needed.
func (b *Buffer) IsDone(p protocol.Position) bool {
	return b.settled && (b.last.IsZero() || p.Covers(b.last))
}
