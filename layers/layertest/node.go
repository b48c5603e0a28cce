package layertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

// phase is the state of a node.
type phase int

const (
	fresh   phase = iota // to running by Start, or to closed
	running              // to closed by Close and Kill
	closed
)

// node is a node's driver, and what the broker knows of the node.
type node struct {
	broker *Broker
	wake   chan struct{} // signals that the inbox has changed; has room for one
	ended  chan struct{} // closed when the node is closed
	gone   chan struct{} // closed when its goroutine has returned

	// Set by Start.
	name     string
	receiver layers.Receiver

	// Guarded by broker.mu.
	phase       phase
	partitioned bool                // by Partition
	down        error               // why the broker cannot be reached; nil: it can
	groups      map[string]struct{} // what Subscribe has asked for, whether or not it can be reached
	inbox       []delivery

	entered map[entryKey]layers.Presence // and not exited, as far as the driver knows; guarded too
}

// delivery is a call of the receiver that is to be made.
type delivery struct {
	due   time.Time
	event bool // it is on its way until it is due, and can be lost
	call  func(layers.Receiver)
}

func (n *node) Start(ctx context.Context, r layers.Receiver) error {
	if err := n.waitSlow(ctx); err != nil {
		return err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	switch name := r.Node(); {
	case n.phase != fresh:
		return errors.New("wye: layertest: the driver has been started or closed before")
	case b.mu.stopped:
		return fmt.Errorf("%w: %w", layers.ErrDown, errStopped)
	case b.mu.nodes[name] != nil:
		return fmt.Errorf("wye: layertest: two nodes have the name %q", name)
	default:
		n.name, n.receiver = name, r
		b.mu.nodes[name] = n
	}
	n.phase = running
	go n.deliverInbox()
	return nil
}

func (n *node) Subscribe(ctx context.Context, add, drop []string) error {
	if err := n.waitSlow(ctx); err != nil {
		return err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	err := n.usableLocked()
	if err != nil && !errors.Is(err, layers.ErrDown) {
		return err
	}
	for _, group := range drop {
		delete(n.groups, group)
		b.unsubscribeLocked(n, group)
	}
	for _, group := range add {
		n.groups[group] = struct{}{}
		if err == nil {
			b.subscribeLocked(n, group)
		}
	}
	return err
}

func (n *node) Publish(ctx context.Context, group string, e *protocol.Event) error {
	p, err := n.packAndWait(ctx, e)
	if err != nil {
		return err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return err
	}
	for _, to := range b.mu.groups[group] {
		if to != n {
			b.sendLocked(to, p, func(r layers.Receiver, e *protocol.Event) { r.Group(group, e) })
		}
	}
	return nil
}

func (n *node) Send(ctx context.Context, channel string, e *protocol.Event) error {
	p, err := n.packAndWait(ctx, e)
	if err != nil {
		return err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return err
	}
	name, _ := driver.NodeOf(channel)
	to := b.mu.nodes[name]
	if to == nil {
		return layers.ErrNoConsumer
	}
	if to.down == nil {
		b.sendLocked(to, p, func(r layers.Receiver, e *protocol.Event) { r.Channel(channel, e) })
	}
	return nil
}

func (n *node) Push(ctx context.Context, channel string, e *protocol.Event) error {
	if err := n.waitSlow(ctx); err != nil {
		return err
	}
	own, err := copyEvent(e)
	if err != nil {
		return err
	}
	b, now := n.broker, time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return err
	}
	if !b.mu.queues.IsFull(channel, now) && b.losesLocked() {
		return nil
	}
	return b.mu.queues.Push(channel, own, now)
}

func (n *node) Pull(ctx context.Context, channel string) (*protocol.Event, error) {
	if err := n.waitSlow(ctx); err != nil {
		return nil, err
	}
	e, p, err := n.startPull(channel)
	if p == nil {
		return e, err
	}
	return p.Wait(ctx, func(p *store.Puller) bool {
		n.broker.mu.Lock()
		defer n.broker.mu.Unlock()
		return n.broker.mu.queues.Withdraw(p)
	})
}

// startPull returns an event, or a puller that waits.
func (n *node) startPull(channel string) (*protocol.Event, *store.Puller, error) {
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return nil, nil, err
	}
	e, p := b.mu.queues.Pull(channel, n, time.Now())
	return e, p, nil
}

func (n *node) Close(ctx context.Context) error {
	if !n.close(false) {
		return nil
	}
	select {
	case <-n.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close closes the node, by a crash or in good order: then what it has entered exits at
// once. It reports whether the node has ever been running, so that the caller has to wait for
// its goroutine.
func (n *node) close(crash bool) bool {
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	was := n.phase
	n.phase = closed
	if was == running {
		delete(b.mu.nodes, n.name)
		for group := range n.groups {
			b.unsubscribeLocked(n, group)
		}
		n.inbox = nil
		b.mu.queues.Dismiss(n, layers.ErrLayerClosed)
		if !crash && n.down == nil {
			b.removePresencesLocked(n)
		}
		b.updateLeasesLocked()
		close(n.ended)
	}
	return n.receiver != nil
}

// packAndWait packs e and waits as long as a call has to.
func (n *node) packAndWait(ctx context.Context, e *protocol.Event) (packet, error) {
	p, err := pack(e)
	if err == nil {
		err = n.waitSlow(ctx)
	}
	return p, err
}

// waitSlow waits as long as a call has to, by Broker.Slow.
func (n *node) waitSlow(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n.broker.mu.Lock()
	slow := n.broker.mu.faults.slow
	n.broker.mu.Unlock()
	if slow == 0 {
		return nil
	}
	return waitFor(ctx, n, slow)
}

// usableLocked returns the error of a call that cannot be made.
func (n *node) usableLocked() error {
	switch {
	case n.phase == fresh:
		return errors.New("wye: layertest: the driver has not been started")
	case n.phase == closed:
		return layers.ErrLayerClosed
	case n.down != nil:
		return fmt.Errorf("%w: %w", layers.ErrDown, n.down)
	}
	return nil
}

// putLocked adds to the inbox.
func (n *node) putLocked(d delivery) {
	if n.phase != running {
		return
	}
	n.inbox = append(n.inbox, d)
	select {
	case n.wake <- struct{}{}:
	default: // it has been signalled
	}
}

// dropInFlightLocked drops the events that are on their way.
func (n *node) dropInFlightLocked() {
	var rest []delivery
	for _, d := range n.inbox {
		if !d.event {
			rest = append(rest, d)
		}
	}
	n.inbox = rest
}

// deliverInbox makes the calls of the receiver that come into the inbox, in order.
func (n *node) deliverInbox() {
	defer close(n.gone)
	for {
		d, wait := n.nextDelivery()
		if d.call != nil {
			d.call(n.receiver)
			continue
		}
		if !n.waitForInbox(wait) {
			return
		}
	}
}

// nextDelivery removes and returns the first delivery if it is due. If not, wait is how long
// that takes, 0 if there is none.
func (n *node) nextDelivery() (d delivery, wait time.Duration) {
	n.broker.mu.Lock()
	defer n.broker.mu.Unlock()
	if len(n.inbox) == 0 {
		return delivery{}, 0
	}
	if wait := time.Until(n.inbox[0].due); wait > 0 {
		return delivery{}, wait
	}
	d = n.inbox[0]
	n.inbox[0] = delivery{}
	n.inbox = n.inbox[1:]
	return d, 0
}

// waitForInbox waits until wait has passed or the inbox has changed. It reports false when
// the node has been closed.
func (n *node) waitForInbox(wait time.Duration) bool {
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return true
	case <-n.wake:
		return true
	case <-n.ended:
		return false
	}
}
