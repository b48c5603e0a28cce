package liveness

// Slots is the number of slots of a [Wheel].
const Slots = 16

// Wheel has the connections of a server in slots of about the same size, one of which
// is due at each tick. So each connection is checked once in Slots ticks, and what the
// checks cost is spread over time. The zero value is empty. The caller serializes all
// calls.
type Wheel[M Member] struct {
	slots [Slots][]M
	len   int
	added int // the slot of the newest member
	due   int // the slot that Advance returned last
}

// Member is a connection in a wheel.
type Member interface {
	// WheelPosition returns where the wheel notes the member's position. It
	// returns the same pointer at each call.
	WheelPosition() *Position
}

// Position is that of a member in its wheel.
type Position struct{ slot, index int32 }

// Len returns the number of members.
func (w *Wheel[M]) Len() int { return w.len }

// Add adds m, which must not be in a wheel.
func (w *Wheel[M]) Add(m M) {
	w.added = (w.added + 1) % Slots
	slot := &w.slots[w.added]
	*m.WheelPosition() = Position{int32(w.added), int32(len(*slot))} //nolint:gosec // a server has far fewer connections
	*slot = append(*slot, m)
	w.len++
}

// Remove removes m, which must be in w.
func (w *Wheel[M]) Remove(m M) {
	p := m.WheelPosition()
	slot := w.slots[p.slot]
	last := len(slot) - 1
	moved := slot[last]
	slot[p.index] = moved
	moved.WheelPosition().index = p.index
	clear(slot[last:])
	w.slots[p.slot] = slot[:last]
	w.len--
}

// Advance makes the next slot the one that is due, and appends its members to buf.
func (w *Wheel[M]) Advance(buf []M) []M {
	w.due = (w.due + 1) % Slots
	return append(buf, w.slots[w.due]...)
}

// All returns all members.
func (w *Wheel[M]) All() []M {
	all := make([]M, 0, w.len)
	for _, slot := range w.slots {
		all = append(all, slot...)
	}
	return all
}
