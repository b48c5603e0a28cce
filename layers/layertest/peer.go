package layertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// peer is a node of a case: a driver, and the receiver that writes down what the
// driver tells it.
type peer struct {
	stage  *stage
	driver layers.Driver
	name   string
	closed bool // by the case; clear does not do it again
	before int  // how often the receiver had been called when Close returned

	mu struct {
		sync.Mutex
		groups   map[string][]*protocol.Event
		channels map[string][]*protocol.Event
		states   []error
		gaps     []string // "" stands for all groups
		calls    int
		news     chan struct{}  // closed when something comes
		expected map[string]int // how many events of a group are all there must ever be
	}
}

// peer starts another node.
func (s *stage) peer() *peer {
	p := s.newPeer()
	s.must("Start", s.call("Start", func(ctx context.Context) error { return p.driver.Start(ctx, p) }))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.peers = append(s.mu.peers, p)
	return p
}

// newPeer makes a node that is not started.
func (s *stage) newPeer() *peer {
	p := &peer{stage: s, name: rand.Text()[:16], driver: s.suite.New(s.t)}
	p.mu.groups = make(map[string][]*protocol.Event)
	p.mu.channels = make(map[string][]*protocol.Event)
	p.mu.news = make(chan struct{})
	p.mu.expected = make(map[string]int)
	return p
}

// peers starts n nodes.
func (s *stage) peers(n int) []*peer {
	all := make([]*peer, n)
	for i := range all {
		all[i] = s.peer()
	}
	return all
}

var _ layers.Receiver = (*peer)(nil)

func (p *peer) Node() string { return p.name }

func (p *peer) Group(group string, e *protocol.Event) {
	p.told(func() { p.mu.groups[group] = append(p.mu.groups[group], e) })
}

func (p *peer) Channel(channel string, e *protocol.Event) {
	p.told(func() { p.mu.channels[channel] = append(p.mu.channels[channel], e) })
}

func (p *peer) State(cause error) {
	p.told(func() { p.mu.states = append(p.mu.states, cause) })
}

func (p *peer) Gap(groups ...string) {
	p.told(func() {
		if len(groups) == 0 {
			groups = []string{""}
		}
		p.mu.gaps = append(p.mu.gaps, groups...)
	})
}

// told writes something down and wakes who waits for it.
func (p *peer) told(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	write()
	p.mu.calls++
	close(p.mu.news)
	p.mu.news = make(chan struct{})
}

// until waits until there says that what should come is there; it is called with
// p.mu held. have says, for a failure, what there is.
func (p *peer) until(what string, there func() bool, have func() string) {
	p.untilWithin(p.stage.suite.patience(), what, there, have)
}

// untilWithin is until with a patience of its own.
func (p *peer) untilWithin(patience time.Duration, what string, there func() bool, have func() string) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		p.mu.Lock()
		ok, news, got := there(), p.mu.news, ""
		if !ok {
			got = have()
		}
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-timer.C:
			p.stage.fatalf("%s has not come within %v; %s", what, patience, got)
		}
	}
}

// events waits until at least n events have come to a group, and returns all.
func (p *peer) events(group string, n int) []*protocol.Event {
	return p.wait(p.mu.groups, "group "+group, group, n)
}

// sent is events for one of the node's channels.
func (p *peer) sent(channel string, n int) []*protocol.Event {
	return p.wait(p.mu.channels, "channel "+channel, channel, n)
}

func (p *peer) wait(in map[string][]*protocol.Event, what, name string, n int) []*protocol.Event {
	p.until(fmt.Sprintf("event %d of %s", n, what),
		func() bool { return len(in[name]) >= n },
		func() string { return fmt.Sprintf("%d have", len(in[name])) })
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(in[name])
}

// total is how often the receiver has been called.
func (p *peer) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.calls
}

// wantNotes waits for as many notes as are wanted, and fails if others came, or
// these in another order.
func (p *peer) wantNotes(group string, want ...int) {
	got := p.stage.numbers(p.events(group, len(want)))
	if !slices.Equal(got, want) {
		p.stage.fatalf("a node got %s of what was published, want %s", abridged(got), abridged(want))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.expected[group] = len(want)
}

// surplus says what came after wantNotes had seen all there should be.
func (p *peer) surplus() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for group, n := range p.mu.expected {
		if more := len(p.mu.groups[group]) - n; more > 0 {
			return fmt.Errorf("%d events more came to a node than were published for it", more)
		}
	}
	return nil
}

// abridged is a list for a failure's text.
func abridged(ns []int) string {
	if len(ns) <= 20 {
		return fmt.Sprint(ns)
	}
	return fmt.Sprintf("%v... (%d)", ns[:20], len(ns))
}

// subscribe has the node get groups.
func (p *peer) subscribe(groups ...string) { p.change(groups, nil) }

// drop has it get them no more.
func (p *peer) drop(groups ...string) { p.change(nil, groups) }

func (p *peer) change(add, drop []string) { p.stage.must("Subscribe", p.tryChange(add, drop)) }

func (p *peer) tryChange(add, drop []string) error {
	return p.stage.call("Subscribe", func(ctx context.Context) error { return p.driver.Subscribe(ctx, add, drop) })
}

// publish publishes note n, or fails.
func (p *peer) publish(group string, n int) { p.publishEvent(group, newNote(p.name, n)) }

func (p *peer) publishEvent(group string, e *protocol.Event) {
	p.stage.must("Publish", p.tryPublish(group, e))
}

func (p *peer) tryPublish(group string, e *protocol.Event) error {
	p.stage.must("Sealing an event", e.Seal())
	return p.stage.call("Publish", func(ctx context.Context) error { return p.driver.Publish(ctx, group, e) })
}

// queuer returns the driver, which has named channels, or the case is skipped.
func (p *peer) queuer() layers.Queuer {
	d, ok := p.driver.(layers.Queuer)
	if !ok {
		p.stage.fatalf("%T is no layers.Queuer, although another driver of New's was", p.driver)
	}
	return d
}

// hasQueues reports whether the driver has named channels.
func (p *peer) hasQueues() bool { return asksQueues.isOf(p.driver) }

// send sends note n to a channel, or fails. A driver may say that nobody has it.
func (p *peer) send(channel string, n int) {
	if err := p.trySend(channel, n); !errors.Is(err, layers.ErrNobody) {
		p.stage.must("Send", err)
	}
}

func (p *peer) trySend(channel string, n int) error {
	return p.trySendEvent(channel, newNote(p.name, n))
}

func (p *peer) trySendEvent(channel string, e *protocol.Event) error {
	p.stage.must("Sealing an event", e.Seal())
	if _, specific := driver.NodeOf(channel); !specific {
		return p.stage.call("Push", func(ctx context.Context) error { return p.queuer().Push(ctx, channel, e) })
	}
	return p.stage.call("Send", func(ctx context.Context) error { return p.driver.Send(ctx, channel, e) })
}

// pull takes one event from a named channel, or fails.
func (p *peer) pull(channel string) *protocol.Event {
	e, err := p.tryPull(channel)
	p.stage.must("Pull", err)
	return e
}

func (p *peer) tryPull(channel string) (e *protocol.Event, err error) {
	err = p.stage.call("Pull", func(ctx context.Context) error {
		e, err = p.queuer().Pull(ctx, channel)
		return err
	})
	return e, err
}

// pullWith is tryPull with a ctx of the case's.
func (p *peer) pullWith(ctx context.Context, channel string) (e *protocol.Event, err error) {
	err = p.stage.watch("Pull", func() error {
		e, err = p.queuer().Pull(ctx, channel)
		return err
	})
	return e, err
}

// close closes the driver, once.
func (p *peer) close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	err := p.stage.call("Close", p.driver.Close)
	p.before = p.total()
	return err
}

// afterwards says what came when it should not have come any more.
func (p *peer) afterwards() error {
	if n := p.total() - p.before; p.before >= 0 && n > 0 {
		return fmt.Errorf("a receiver was called %d times after Close had returned", n)
	}
	return p.surplus()
}

// own is the name of one of the node's channels.
func (p *peer) own(name string) string { return "specific." + p.name + "!" + name }
