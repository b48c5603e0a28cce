package layers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// reader comes and goes.
type reader struct {
	*witness

	life   *archivesLife
	random *rand.Rand
	last   bool // it stays until it has everything
}

func (r *reader) run(t *testing.T) {
	t.Helper()
	for stay := true; stay; {
		select {
		case <-r.life.over:
			r.last = true
		default:
		}
		n := r.life.pick(r.random)
		var done bool
		if r.life.consumers {
			done = r.connect(t, n)
		} else {
			done = r.visit(n)
		}
		if r.last && !done {
			r.wrongf("%s cannot join although all is well", r.name)
		}
		stay = !r.last
		pause(r.random, 300*time.Millisecond)
	}
}

// join joins from where the witness has been, and processes what it reads.
func (r *reader) join(n *clusterNode, m *mailbox, again bool) bool {
	patience := 10 * time.Second
	if !r.last && r.random.IntN(4) == 0 {
		patience = time.Duration(r.random.IntN(100)) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if again {
		r.saw("joined again")
	}
	stops := r.life.stops()
	h, err := n.layer.JoinFrom(ctx, "g", m, layers.Range{After: r.position()})
	if err != nil {
		r.logf("%s: joining at node %d has failed: %v", r.name, n.name, err)
		r.saw("a join failed")
		return false
	}
	r.read(h, again, stops, r.life.stops())
	for _, e := range h.Events {
		if !r.last && r.random.IntN(20) == 0 {
			pause(r.random, 100*time.Millisecond)
			n.layer.Leave("g", m)
			return false
		}
		r.take(e)
	}
	return true
}

func (r *reader) take(e *protocol.Event) {
	n, err := noted().Payload(e)
	if err != nil {
		r.wrongf("%s was given %q: %v", r.name, e.Type(), err)
	}
	if !e.Position().IsZero() { // otherwise it was only sent
		r.event(e.Position(), n.N)
	}
}

// visit is a member at n for a while. It reports whether that has ended in peace.
func (r *reader) visit(n *clusterNode) bool {
	m := &mailbox{news: make(chan struct{}, 1)}
	if r.life.slow {
		m.random = r.life.random(fmt.Sprint(r.name, r.random.Uint64()))
	}
	if !r.join(n, m, false) {
		return false
	}
	defer n.layer.Leave("g", m)
	left := time.NewTimer(time.Duration(r.random.IntN(3000)) * time.Millisecond)
	if r.last {
		left.Reset(20 * time.Second)
	}
	defer left.Stop()
	for {
		if r.random.IntN(10) == 0 {
			pause(r.random, 200*time.Millisecond)
		}
		e := m.next(n.dead, left.C)
		switch {
		case e == nil:
			return true
		case e.Type() == layers.Gap.Name:
			r.saw("a gap")
			if !r.back(n, m) {
				return false
			}
		case e.Type() == noted().Name:
			r.take(e)
		}
	}
}

// back is what somebody does who may have missed something: to come back as a new
// member, or to join again.
func (r *reader) back(n *clusterNode, m *mailbox) bool {
	switch r.random.IntN(3) {
	case 0:
		return false
	case 1:
		n.layer.Leave("g", m)
	}
	m.clear()
	return r.join(n, m, true)
}

// mailbox is a member.
type mailbox struct {
	news   chan struct{}
	random *rand.Rand // of how long Deliver takes; nil: it does not
	mu     struct {
		sync.Mutex
		waiting []*protocol.Event
	}
}

func (m *mailbox) Watches(string) bool           { return true }
func (m *mailbox) Offer(*protocol.Prepared) bool { return false }

// Deliver is called by somebody who may be held up.
func (m *mailbox) Deliver(e *protocol.Event) bool {
	m.mu.Lock()
	var long int
	if m.random != nil {
		long = m.random.IntN(200)
	}
	m.mu.Unlock()
	if long > 100 {
		<-time.After(time.Duration(long) * time.Microsecond)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.waiting = append(m.mu.waiting, e)
	select {
	case m.news <- struct{}{}:
	default: // it knows
	}
	return false
}

func (m *mailbox) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.waiting = nil
}

// next waits for an event; nil if the node or the time is over.
func (m *mailbox) next(dead <-chan struct{}, left <-chan time.Time) *protocol.Event {
	for {
		m.mu.Lock()
		if len(m.mu.waiting) > 0 {
			e := m.mu.waiting[0]
			m.mu.waiting = m.mu.waiting[1:]
			m.mu.Unlock()
			return e
		}
		m.mu.Unlock()
		select {
		case <-m.news:
		case <-dead:
			return nil
		case <-left:
			return nil
		}
	}
}

// connect is a connection to n for a while.
func (r *reader) connect(t *testing.T, n *clusterNode) bool {
	t.Helper()
	f := &follower{reader: r, node: n, leave: make(chan struct{})}
	stay := time.Duration(r.random.IntN(3000)) * time.Millisecond
	if r.last {
		stay = 20 * time.Second
	}
	app := consumer.New(func(*consumer.Scope) *follower { return f },
		consumer.On(noted(), (*follower).note), consumer.On(layers.Gap, (*follower).gap))
	c := consumertest.Connect(t, layers.Middleware(n.layer)(app), "/", &consumertest.Options{Limits: protocol.Limits{QueueEvents: 10000}})
	select {
	case <-f.leave:
	case <-n.dead:
	case <-time.After(stay):
	}
	c.Vanish()
	c.WantOver()
	return !f.gone
}

// follower is a reader's connection. Its callbacks alone use the reader while it lasts.
type follower struct {
	consumer.Base
	*reader

	node  *clusterNode
	stops int           // of the broker when it has joined last
	leave chan struct{} // closed when it wants to
	gone  bool          // and then it hears nothing more
}

func (f *follower) Connect(ctx context.Context, c *consumer.Conn) error {
	f.follow(ctx, c, false)
	return nil
}

func (f *follower) goAway() {
	f.gone = true
	close(f.leave)
}

func (f *follower) follow(ctx context.Context, c *consumer.Conn, again bool) {
	if again {
		f.saw("joined again")
	}
	stops := f.life.stops()
	h, err := c.JoinFrom(ctx, "g", layers.Range{After: f.position()})
	if err != nil {
		f.logf("%s: joining at node %d has failed: %v", f.name, f.node.name, err)
		f.saw("a join failed")
		f.goAway()
		return
	}
	if again && f.life.stops()-f.stops > 1 {
		// Events of a history between the last one and this may wait for the
		// handlers, and nothing tells that they are older than what was read.
		f.goAway()
		return
	}
	f.stops = stops
	f.read(h, again, stops, f.life.stops())
	if err := c.Replay(ctx, h.Events); err != nil {
		f.wrongf("%s: Replay has failed: %v", f.name, err)
	}
}

func (f *follower) note(ctx context.Context, _ *consumer.Conn, n note) error {
	if p := consumer.PositionOf(ctx); !p.IsZero() && !f.gone {
		f.event(p, n.N)
	}
	if f.random.IntN(10) == 0 {
		pause(f.random, 100*time.Millisecond)
	}
	return nil
}

func (f *follower) gap(ctx context.Context, c *consumer.Conn, _ layers.GapEvent) error {
	f.saw("a gap")
	switch {
	case f.gone:
	case f.random.IntN(2) == 0:
		f.follow(ctx, c, true)
	default:
		f.goAway()
	}
	return nil
}
