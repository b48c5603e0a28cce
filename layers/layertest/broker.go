package layertest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

// Options configure a [Broker]. The zero value, and nil, mean the defaults.
type Options struct {
	// Capacity is how many events may wait in a named channel; 0 is 100.
	Capacity int
	// Expiry is how long an event may wait there; 0 is 60 s.
	Expiry time.Duration
	// Lease is how long the presences of a node stay after the broker has lost the
	// connection to the node; 0 means 10 s.
	Lease time.Duration
}

// Broker is a back end for the layers of several nodes in this process. It sends events as
// bytes, which nodes do not share. Its drivers implement [layers.Driver], [layers.Queuer],
// [layers.Historian] and [layers.Presencer]. Methods such as Delay, Loss and Stop cause
// faults, and say which part of a contract they break.
//
// Faults start and end at once: when Stop has returned, every call of a driver returns
// ErrDown. Each node has a goroutine from Start until Close or Kill, which calls its
// Receiver, one call at a time; the broker itself has none. All methods are safe for
// concurrent use, but a Receiver must not call them.
type Broker struct {
	limit store.Limit // of each named channel
	lease time.Duration
	mu    struct {
		sync.Mutex
		nodes     map[string]*node   // started, and neither closed nor dead
		groups    map[string][]*node // the nodes that have subscribed
		queues    store.Queues
		histories map[string]*store.History
		nextSweep time.Time // when histories are searched for old events
		presences map[string]*store.Presences[*node]
		leases    map[*node]*time.Timer // of nodes that are away and have entered something
		stopped   bool
		faults    faults
	}
}

// faults are those that concern single events and calls.
type faults struct {
	delay, slow time.Duration
	loss        float64
	random      *rand.Rand // of loss
	lost        int
}

// NewBroker returns a broker without nodes. o may be nil.
func NewBroker(o *Options) *Broker {
	b := &Broker{limit: store.Limit{Capacity: 100, Expiry: time.Minute}, lease: 10 * time.Second}
	if o != nil && o.Capacity > 0 {
		b.limit.Capacity = o.Capacity
	}
	if o != nil && o.Expiry > 0 {
		b.limit.Expiry = o.Expiry
	}
	if o != nil && o.Lease > 0 {
		b.lease = o.Lease
	}
	b.mu.nodes = make(map[string]*node)
	b.mu.groups = make(map[string][]*node)
	b.mu.presences = make(map[string]*store.Presences[*node])
	b.loseStoresLocked()
	b.mu.leases = make(map[*node]*time.Timer)
	return b
}

// Node adds a node to the broker and returns its driver, for [layers.Open].
func (b *Broker) Node() layers.Driver {
	return &node{
		broker:  b,
		groups:  make(map[string]struct{}),
		entered: make(map[entryKey]layers.Presence),
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		gone:    make(chan struct{}),
	}
}

// Close closes the drivers of all nodes that are not closed yet, and waits for their
// goroutines. Close their layers first, unless the test does not depend on it.
func (b *Broker) Close() {
	for _, n := range b.nodes() {
		n.close(false)
		<-n.gone
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.mu.presences)
	for n, timer := range b.mu.leases {
		timer.Stop()
		delete(b.mu.leases, n)
	}
}

// loseStoresLocked loses the events of named channels and all histories.
func (b *Broker) loseStoresLocked() {
	b.mu.queues = store.Queues{Limit: func(string) store.Limit { return b.limit }}
	b.mu.histories = make(map[string]*store.History)
}

// nodes returns the nodes that are started and not closed, ordered by name, so that the
// result does not vary.
func (b *Broker) nodes() []*node {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nodesLocked()
}

func (b *Broker) nodesLocked() []*node {
	names := make([]string, 0, len(b.mu.nodes))
	for name := range b.mu.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	all := make([]*node, len(names))
	for i, name := range names {
		all[i] = b.mu.nodes[name]
	}
	return all
}

// packet is an event on its way, as bytes that nothing else uses.
type packet struct {
	typ  string
	body []byte
}

func pack(e *protocol.Event) (packet, error) {
	body, err := events.Payload(e)
	return packet{e.Type(), bytes.Clone(body)}, err
}

// unpack makes an event of a copy, which is the receiver's alone.
func (p packet) unpack() (*protocol.Event, error) {
	return events.New(p.typ, bytes.Clone(p.body))
}

// copyEvent returns a copy of e that shares no bytes with it.
func copyEvent(e *protocol.Event) (*protocol.Event, error) {
	p, err := pack(e)
	if err != nil {
		return nil, err
	}
	own, err := p.unpack()
	if err != nil {
		return nil, err
	}
	return events.At(own, e.Position()), nil
}

// sendLocked puts p on its way to a node, where deliver delivers it to the receiver.
func (b *Broker) sendLocked(to *node, p packet, deliver func(layers.Receiver, *protocol.Event)) {
	if b.losesLocked() {
		return
	}
	to.putLocked(delivery{due: time.Now().Add(b.mu.faults.delay), event: true, call: func(r layers.Receiver) {
		if e, err := p.unpack(); err == nil { // it was packed from an event
			deliver(r, e)
		}
	}})
}

// losesLocked reports whether an event is to be lost.
func (b *Broker) losesLocked() bool {
	f := &b.mu.faults
	if f.loss == 0 || f.random.Float64() >= f.loss {
		return false
	}
	f.lost++
	return true
}

// unsubscribeLocked removes n from group.
func (b *Broker) unsubscribeLocked(n *node, group string) {
	if rest := without(b.mu.groups[group], n); len(rest) > 0 {
		b.mu.groups[group] = rest
	} else {
		delete(b.mu.groups, group)
	}
}

// subscribeLocked adds n to group.
func (b *Broker) subscribeLocked(n *node, group string) {
	if all := b.mu.groups[group]; !slices.Contains(all, n) {
		b.mu.groups[group] = append(all, n)
	}
}

// without returns all but one, in a list that it may make of all.
func without[T comparable](all []T, one T) []T {
	return slices.DeleteFunc(all, func(v T) bool { return v == one })
}

// waitFor waits for d, unless ctx or the node ends before.
func waitFor(ctx context.Context, n *node, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.ended:
		return layers.ErrLayerClosed
	}
}
