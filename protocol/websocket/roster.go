package websocket

// turnSlots is into how many parts the connections of a server are divided that
// are looked at one after the other, so that pings are spread.
const turnSlots = 16

// roster is a list of connections in slots. Its zero value is empty. It has no
// lock of its own.
type roster struct {
	slots [turnSlots][]*conn
	n     int
	last  int // the slot of the newest connection
}

// place is where a connection is in its roster.
type place struct{ slot, index int32 }

func (r *roster) add(c *conn) {
	r.last = (r.last + 1) % turnSlots
	slot := &r.slots[r.last]
	c.place = place{int32(r.last), int32(len(*slot))} //nolint:gosec // Capacity.Conns is much less
	*slot = append(*slot, c)
	r.n++
}

func (r *roster) remove(c *conn) {
	slot := r.slots[c.place.slot]
	end := len(slot) - 1
	moved := slot[end]
	slot[c.place.index], moved.place.index = moved, c.place.index
	slot[end] = nil
	r.slots[c.place.slot] = slot[:end]
	r.n--
}

// all returns the connections.
func (r *roster) all() []*conn {
	all := make([]*conn, 0, r.n)
	for _, slot := range r.slots {
		all = append(all, slot...)
	}
	return all
}
