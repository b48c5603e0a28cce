package liveness

import (
	"math/bits"
	"time"
)

// deadlineSlots is the number of slots of [Deadlines]: one bit each in Deadlines.used.
const deadlineSlots = 64

// Deadlines has the deadlines of connections, one for each member. Times are durations
// since some start that the caller chooses. They are coarse: a member is never due early,
// and due less than one granularity late. Add and Remove take constant time; so does
// Advance for each member that becomes due. A member whose deadline is more than 64
// granularities away is looked at once in 64. The caller serializes all calls.
type Deadlines[M DeadlineMember] struct {
	granularity time.Duration
	ticks       int64 // whole granularities that Advance has covered
	slots       [deadlineSlots][]deadline[M]
	used        uint64 // bit i: slots[i] is not empty
	len         int
}

type deadline[M DeadlineMember] struct {
	member M
	at     time.Duration
}

// DeadlineMember is a connection in [Deadlines].
type DeadlineMember interface {
	// DeadlinePosition returns where Deadlines notes the member's position. It
	// returns the same pointer at each call. Its zero value is that of a member that
	// has no deadline.
	DeadlinePosition() *DeadlinePosition
}

// DeadlinePosition is the position of a member in its [Deadlines].
type DeadlinePosition struct {
	slot uint32
	next uint32 // the index in the slot, plus one; 0: the member has no deadline
}

// keptDeadlines is the largest capacity of an empty slot that is kept.
const keptDeadlines = 64

// NewDeadlines returns deadlines without members. granularity must be positive.
func NewDeadlines[M DeadlineMember](granularity time.Duration) *Deadlines[M] {
	return &Deadlines[M]{granularity: granularity}
}

// Len returns the number of members.
func (d *Deadlines[M]) Len() int { return d.len }

// Add makes at the deadline of m, instead of the one that m has. A deadline that has
// passed is due at the next tick: at the next multiple of the granularity.
func (d *Deadlines[M]) Add(m M, at time.Duration) {
	d.Remove(m)
	tick := int64(at / d.granularity)
	if at%d.granularity > 0 {
		tick++
	}
	i := uint32(max(tick, d.ticks+1)) % deadlineSlots //nolint:gosec // the low bits are meant
	d.slots[i] = append(d.slots[i], deadline[M]{m, at})
	*m.DeadlinePosition() = DeadlinePosition{i, uint32(len(d.slots[i]))} //nolint:gosec // a server has far fewer connections
	d.used |= 1 << i
	d.len++
}

// Remove removes the deadline of m, if it has one.
func (d *Deadlines[M]) Remove(m M) {
	if p := m.DeadlinePosition(); p.next != 0 {
		d.removeAt(int(p.slot), int(p.next-1))
	}
}

// Has reports whether m has a deadline, and returns it.
func (d *Deadlines[M]) Has(m M) (at time.Duration, ok bool) {
	p := m.DeadlinePosition()
	if p.next == 0 {
		return 0, false
	}
	return d.slots[p.slot][p.next-1].at, true
}

// Advance removes the members whose deadlines have come at now, and appends them to buf.
func (d *Deadlines[M]) Advance(now time.Duration, buf []M) []M {
	last := d.ticks
	d.ticks = max(last, int64(now/d.granularity))
	until := time.Duration(d.ticks) * d.granularity
	for i := range min(d.ticks-last, deadlineSlots) {
		slot := int((last + 1 + i) % deadlineSlots)
		for at := 0; at < len(d.slots[slot]); {
			e := d.slots[slot][at]
			if e.at > until {
				at++
				continue
			}
			d.removeAt(slot, at)
			buf = append(buf, e.member)
		}
	}
	return buf
}

// Next returns the time at which Advance is to be called next: nothing is due earlier. ok
// is false if there are no members.
func (d *Deadlines[M]) Next() (at time.Duration, ok bool) {
	if d.used == 0 {
		return 0, false
	}
	next := d.ticks + 1
	ahead := bits.TrailingZeros64(bits.RotateLeft64(d.used, -int(next%deadlineSlots)))
	return time.Duration(next+int64(ahead)) * d.granularity, true
}

// removeAt removes a member by its position. The last one of its slot moves there.
func (d *Deadlines[M]) removeAt(slot, index int) {
	members := d.slots[slot]
	last := len(members) - 1
	removed := members[index].member
	members[index] = members[last]
	members[index].member.DeadlinePosition().next = uint32(index + 1) //nolint:gosec // as in Add
	*removed.DeadlinePosition() = DeadlinePosition{}
	clear(members[last:])
	d.slots[slot] = members[:last]
	d.len--
	if last == 0 {
		d.used &^= 1 << slot
		if cap(members) > keptDeadlines {
			d.slots[slot] = nil
		}
	}
}
