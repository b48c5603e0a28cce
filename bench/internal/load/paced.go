//go:build linux

package load

import "time"

// paced sends messages at a rate that does not depend on the answers. A connection has
// one message under way at most, so that only those that wait for a callback that sleeps
// are held up by it.
type paced struct {
	cl           *client
	calm, drowsy *mold
	every        int
	step         int64   // between two messages
	due          int64   // when the next message has to be sent
	number       int     // of that message
	free         []*conn // that wait for nothing, the longest first
	head         int     // of free
	sleeps       []bool  // by id: the message under way has the mark
	over         bool
	out          int
}

func newPaced(cl *client, cfg Config) *paced {
	p := &paced{cl: cl, calm: newMold(cfg.Size, 1, cfg.Data, false), every: cfg.SleepEvery, step: int64(time.Second) / int64(cfg.Rate)}
	if p.every > 0 {
		p.drowsy = newMarkedMold(cfg.Size)
	}
	return p
}

func (p *paced) start() error {
	p.sleeps = make([]bool, len(p.cl.conns))
	p.free = append(p.free, p.cl.conns...)
	p.due = p.cl.now
	for _, c := range p.cl.conns {
		c.at = make([]int64, 1)
	}
	return nil
}

// tick sends what is due on connections that are free. If none is, what is due waits, and
// its latency has begun.
func (p *paced) tick() (idle time.Duration, err error) {
	p.cl.clock()
	for !p.over && p.due <= p.cl.now && p.head < len(p.free) {
		c := p.free[p.head]
		p.head++
		if err := p.send(c); err != nil {
			return 0, c.failed(err)
		}
	}
	if p.head == len(p.free) || p.over {
		return tick, nil
	}
	return time.Duration(p.due - p.cl.now), nil
}

func (p *paced) send(c *conn) error {
	m := p.calm
	p.number++
	p.sleeps[c.id] = p.every > 0 && p.number%p.every == 0
	if p.sleeps[c.id] {
		m = p.drowsy
	}
	c.at[0] = p.due
	p.due += p.step
	frames := m.make(c.id, c.sent, 1)
	c.sent++
	p.out++
	return c.send(frames)
}

func (p *paced) message(c *conn, payload []byte) error {
	m := p.calm
	if p.sleeps[c.id] {
		m = p.drowsy
	}
	if p.out == 0 || c.sent != c.seen+1 {
		return unexpected(payload)
	}
	if err := m.check(payload, c.id, c.seen); err != nil {
		return err
	}
	c.seen++
	p.out--
	if !p.sleeps[c.id] {
		p.cl.counts.Add(p.cl.now - c.at[0])
	}
	if p.head > len(p.cl.conns) { // the list of the free has grown long enough to be moved
		p.free = append(p.free[:0], p.free[p.head:]...)
		p.head = 0
	}
	p.free = append(p.free, c)
	return nil
}

func (p *paced) drained(*conn) error { return nil }
func (p *paced) stop()               { p.over = true }
func (p *paced) owed() int           { return p.out }
