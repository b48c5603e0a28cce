package layertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// peer is a node of a case: a driver, and the receiver that records its calls.
type peer struct {
	env    *env
	driver layers.Driver
	name   string
	closed bool // by the case; closeAll does not close it again
	before int  // how often the receiver had been called when Close returned; -1 if it is not known

	mu struct {
		sync.Mutex
		groups   map[string][]*protocol.Event
		channels map[string][]*protocol.Event
		states   []error
		gaps     []string // "" stands for all groups
		calls    int
		news     chan struct{}  // closed when the receiver is called
		expected map[string]int // how many events of a group must have come in the end
	}
}

// peer starts another node.
func (s *env) peer() *peer {
	p := s.newPeer()
	s.must("Start", s.call("Start", func(ctx context.Context) error { return p.driver.Start(ctx, p) }))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.peers = append(s.mu.peers, p)
	return p
}

// newPeer makes a node that is not started.
func (s *env) newPeer() *peer {
	p := &peer{env: s, name: rand.Text()[:16], driver: s.suite.New(s.t)}
	p.mu.groups = make(map[string][]*protocol.Event)
	p.mu.channels = make(map[string][]*protocol.Event)
	p.mu.news = make(chan struct{})
	p.mu.expected = make(map[string]int)
	return p
}

// peers starts n nodes.
func (s *env) peers(n int) []*peer {
	all := make([]*peer, n)
	for i := range all {
		all[i] = s.peer()
	}
	return all
}

var _ layers.Receiver = (*peer)(nil)

func (p *peer) Node() string { return p.name }

func (p *peer) Group(group string, e *protocol.Event) {
	p.record(func() { p.mu.groups[group] = append(p.mu.groups[group], e) })
}

func (p *peer) Channel(channel string, e *protocol.Event) {
	p.record(func() { p.mu.channels[channel] = append(p.mu.channels[channel], e) })
}

func (p *peer) State(cause error) {
	p.record(func() { p.mu.states = append(p.mu.states, cause) })
}

func (p *peer) Gap(groups ...string) {
	p.record(func() {
		if len(groups) == 0 {
			groups = []string{""}
		}
		p.mu.gaps = append(p.mu.gaps, groups...)
	})
}

// record calls write with p.mu held, and wakes the goroutines that wait.
func (p *peer) record(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	write()
	p.mu.calls++
	close(p.mu.news)
	p.mu.news = make(chan struct{})
}

// until waits until there reports true; it is called with p.mu held. have says, for a failure,
// what there is.
func (p *peer) until(what string, there func() bool, have func() string) {
	p.untilWithin(p.env.suite.patience(), what, there, have)
}

// untilWithin is until with another patience.
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
			p.env.fatalf("%s has not come within %v; %s", what, patience, got)
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

// total returns how often the receiver has been called.
func (p *peer) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.calls
}

// wantNotes waits for as many notes as are wanted, and fails if others came, or these in
// another order.
func (p *peer) wantNotes(group string, want ...int) {
	got := p.env.numbers(p.events(group, len(want)))
	if !slices.Equal(got, want) {
		p.env.fatalf("a node got %s of what was published, want %s", shorten(got), shorten(want))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.expected[group] = len(want)
}

// surplus returns an error if more events came than wantNotes wanted.
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

// shorten returns a list for a failure's text.
func shorten(ns []int) string {
	if len(ns) <= 20 {
		return fmt.Sprint(ns)
	}
	return fmt.Sprintf("%v... (%d)", ns[:20], len(ns))
}

// subscribe subscribes the node to groups, or fails.
func (p *peer) subscribe(groups ...string) { p.change(groups, nil) }

// drop drops groups, or fails.
func (p *peer) drop(groups ...string) { p.change(nil, groups) }

func (p *peer) change(add, drop []string) { p.env.must("Subscribe", p.tryChange(add, drop)) }

func (p *peer) tryChange(add, drop []string) error {
	return p.env.call("Subscribe", func(ctx context.Context) error { return p.driver.Subscribe(ctx, add, drop) })
}

// publish publishes note n, or fails.
func (p *peer) publish(group string, n int) { p.publishEvent(group, newNote(p.name, n)) }

func (p *peer) publishEvent(group string, e *protocol.Event) {
	p.env.must("Publish", p.tryPublish(group, e))
}

func (p *peer) tryPublish(group string, e *protocol.Event) error {
	p.env.must("Sealing an event", events.Seal(e))
	return p.env.call("Publish", func(ctx context.Context) error { return p.driver.Publish(ctx, group, e) })
}

// queuer returns the driver, which has named channels, or the case is skipped.
func (p *peer) queuer() layers.Queuer {
	d, ok := p.driver.(layers.Queuer)
	if !ok {
		p.env.fatalf("%T is no layers.Queuer, although another driver of New's was", p.driver)
	}
	return d
}

// hasQueues reports whether the driver has named channels.
func (p *peer) hasQueues() bool { return asksQueues.isOf(p.driver) }

// send sends note n to a channel, or fails. A driver may return ErrNoConsumer.
func (p *peer) send(channel string, n int) {
	if err := p.trySend(channel, n); !errors.Is(err, layers.ErrNoConsumer) {
		p.env.must("Send", err)
	}
}

func (p *peer) trySend(channel string, n int) error {
	return p.trySendEvent(channel, newNote(p.name, n))
}

func (p *peer) trySendEvent(channel string, e *protocol.Event) error {
	p.env.must("Sealing an event", events.Seal(e))
	if _, specific := driver.NodeOf(channel); !specific {
		return p.env.call("Push", func(ctx context.Context) error { return p.queuer().Push(ctx, channel, e) })
	}
	return p.env.call("Send", func(ctx context.Context) error { return p.driver.Send(ctx, channel, e) })
}

// pull takes one event from a named channel, or fails.
func (p *peer) pull(channel string) *protocol.Event {
	e, err := p.tryPull(channel)
	p.env.must("Pull", err)
	return e
}

func (p *peer) tryPull(channel string) (e *protocol.Event, err error) {
	err = p.env.call("Pull", func(ctx context.Context) error {
		e, err = p.queuer().Pull(ctx, channel)
		return err
	})
	return e, err
}

// pullWith is tryPull with another ctx.
func (p *peer) pullWith(ctx context.Context, channel string) (e *protocol.Event, err error) {
	err = p.env.watch("Pull", func() error {
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
	err := p.env.call("Close", p.driver.Close)
	p.before = p.total()
	return err
}

// checkClosed returns an error if the receiver was called after Close, or too often.
func (p *peer) checkClosed() error {
	if n := p.total() - p.before; p.before >= 0 && n > 0 {
		return fmt.Errorf("a receiver was called %d times after Close had returned", n)
	}
	return p.surplus()
}

// own returns the name of one of the node's channels.
func (p *peer) own(name string) string { return "specific." + p.name + "!" + name }
