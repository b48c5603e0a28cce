//go:build linux

package load

// room has one of its connections keep some messages under way, each of which
// all of them must receive. The window moves on when the last one has.
type room struct {
	cl        *client
	mold      *mold
	publisher *conn
	window    int
	missing   []int // deliveries of the messages under way, by number modulo the window
	done      int   // messages that have arrived everywhere since the last publication
	over      bool
	out       int // deliveries still to come
}

func (r *room) start() error {
	for _, c := range r.cl.conns {
		c.sent, c.seen = 0, 0 // joining has counted too
	}
	r.publisher.at = make([]int64, r.window)
	r.missing = make([]int, r.window)
	r.done = r.window
	return r.drained(nil)
}

func (r *room) message(c *conn, payload []byte) error {
	payload, err := r.cl.strip(payload)
	if err != nil {
		return err
	}
	p := r.publisher
	if err := r.mold.check(payload, p.id, c.seen); err != nil {
		return err
	}
	slot := c.seen % uint32(r.window)
	if p.sent-c.seen-1 >= uint32(r.window) { // also if it is ahead of p.sent
		return unexpected(payload)
	}
	r.cl.counts.Add(r.cl.now - p.at[slot])
	c.seen++
	r.out--
	r.missing[slot]--
	if r.missing[slot] == 0 {
		r.done++
	}
	return nil
}

// drained publishes as many messages as have arrived everywhere.
func (r *room) drained(*conn) error {
	if r.over || r.done == 0 {
		return nil
	}
	p := r.publisher
	frames := r.mold.make(p.id, p.sent, r.done)
	for ; r.done > 0; r.done-- {
		slot := p.sent % uint32(r.window)
		p.at[slot] = r.cl.now
		r.missing[slot] = len(r.cl.conns)
		r.out += len(r.cl.conns)
		p.sent++
	}
	return p.send(frames)
}

func (r *room) stop()     { r.over = true }
func (r *room) owed() int { return r.out }
