package layertest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

var _ layers.Presencer = (*node)(nil)

// crowd is who is present in a group, as the broker knows it.
type crowd struct {
	store.Crowd

	owners map[string]*node // who has entered each ID
}

// seat is a presence's place.
type seat struct{ group, id string }

func (n *node) Enter(ctx context.Context, group string, p layers.Presence) error {
	if err := n.pass(ctx); err != nil {
		return err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return err
	}
	p.Meta = bytes.Clone(p.Meta)
	b.admitLocked(n, group, p)
	return nil
}

func (n *node) Exit(ctx context.Context, group, id string, linger time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	late := n.pass(ctx) // who waits no longer has asked all the same
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(n.present, seat{group, id}) // also if it is down: the broker learns of it later
	if err := n.usableLocked(); err != nil {
		return cmp.Or(late, err)
	}
	if linger > 0 {
		b.lingerLocked(n, group, id, linger)
	} else {
		b.expelLocked(n, group, id)
	}
	return late
}

// lingerLocked has what n has entered stay for a while.
func (b *Broker) lingerLocked(n *node, group, id string, linger time.Duration) {
	c := b.mu.crowds[group]
	if c == nil || c.owners[id] != n || !c.Linger(id, time.Now().Add(linger)) {
		return
	}
	time.AfterFunc(linger, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if c := b.mu.crowds[group]; c != nil {
			changes := c.Expire(id, time.Now())
			b.changedLocked(group, c, changes)
		}
	})
}

func (n *node) Present(ctx context.Context, group, key string) (all []layers.Presence, err error) {
	err = n.lookUp(ctx, group, func(c *crowd) {
		for _, p := range c.Present(key) {
			p.Meta = bytes.Clone(p.Meta)
			all = append(all, layers.Presence(p))
		}
	})
	return all, err
}

func (n *node) Count(ctx context.Context, group string) (count layers.PresenceCount, err error) {
	err = n.lookUp(ctx, group, func(c *crowd) {
		count = layers.PresenceCount{Keys: c.Keys(), Presences: c.Len()}
	})
	return count, err
}

// lookUp calls f with the crowd of group, if there is one.
func (n *node) lookUp(ctx context.Context, group string, f func(*crowd)) error {
	if err := n.pass(ctx); err != nil {
		return err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return err
	}
	if c := b.mu.crowds[group]; c != nil {
		f(c)
	}
	return nil
}

// admitLocked has n enter p, and tells all nodes.
func (b *Broker) admitLocked(n *node, group string, p layers.Presence) {
	c := b.mu.crowds[group]
	if c == nil {
		c = &crowd{owners: make(map[string]*node)}
		b.mu.crowds[group] = c
	}
	at := seat{group, p.ID}
	if before := c.owners[p.ID]; before != nil && before != n {
		delete(before.present, at) // it is n's now
	}
	c.owners[p.ID] = n
	changes := c.Enter(store.Entry(p))
	if old, again := n.present[at]; again && old.Key == p.Key {
		p.Since = old.Since
	}
	n.present[at] = p
	b.changedLocked(group, c, changes)
}

// expelLocked takes out what n has entered, and tells all nodes.
func (b *Broker) expelLocked(n *node, group, id string) {
	c := b.mu.crowds[group]
	if c == nil || c.owners[id] != n {
		return
	}
	changes := c.Exit(id)
	b.changedLocked(group, c, changes)
}

// changedLocked forgets who is not in c any more, and tells all nodes.
func (b *Broker) changedLocked(group string, c *crowd, changes []store.Change) {
	maps.DeleteFunc(c.owners, func(id string, _ *node) bool { return !c.Has(id) })
	if c.Len() == 0 {
		delete(b.mu.crowds, group)
	}
	b.tellLocked(group, changes)
}

// tellLocked tells all nodes that have subscribed to group.
func (b *Broker) tellLocked(group string, changes []store.Change) {
	for _, change := range changes {
		typ := layers.Entered
		switch {
		case change.Gone:
			typ = layers.Exited
		case change.Other:
			typ = layers.Changed
		}
		l, err := write(typ.New(layers.Visit{Group: group, Presence: layers.Presence(change.Entry)}))
		if err != nil {
			continue // only metadata that are no JSON can be why
		}
		for _, to := range b.mu.groups[group] {
			b.sendLocked(to, l, func(r layers.Receiver, e *protocol.Event) { r.Group(group, e) })
		}
	}
}

// seatsLocked are those of n, as the broker knows it, in some order that is always
// the same.
func (b *Broker) seatsLocked(n *node) []seat {
	var all []seat
	for group, c := range b.mu.crowds {
		for id, owner := range c.owners {
			if owner == n {
				all = append(all, seat{group, id})
			}
		}
	}
	slices.SortFunc(all, bySeat)
	return all
}

func bySeat(a, b seat) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.id, b.id)) }

// emptyLocked takes out all that n has entered.
func (b *Broker) emptyLocked(n *node) {
	for _, at := range b.seatsLocked(n) {
		b.expelLocked(n, at.group, at.id)
	}
}

// catchUpLocked has n, which has connected again, exit what has gone meanwhile, and
// enter again what the broker has given up.
func (b *Broker) catchUpLocked(n *node) {
	if n.awayLocked() {
		return
	}
	known := b.seatsLocked(n)
	for _, at := range known {
		if _, still := n.present[at]; !still && !b.mu.crowds[at.group].Lingers(at.id) {
			b.expelLocked(n, at.group, at.id)
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(n.present), bySeat) {
		if !slices.Contains(known, at) {
			b.admitLocked(n, at.group, n.present[at])
		}
	}
}

// leaseLocked sees to it that what nodes have entered that are away goes when its
// time has come. A broker that has been stopped waits for nobody.
func (b *Broker) leaseLocked() {
	for n, timer := range b.mu.leases {
		if b.mu.stopped || !n.awayLocked() {
			timer.Stop()
			delete(b.mu.leases, n)
		}
	}
	if b.mu.stopped {
		return
	}
	for _, c := range b.mu.crowds {
		for _, n := range c.owners {
			if n.awayLocked() && b.mu.leases[n] == nil {
				b.mu.leases[n] = b.lapseLocked(n)
			}
		}
	}
}

// lapseLocked has all that n has entered go after a while.
func (b *Broker) lapseLocked(n *node) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(b.lease, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.mu.leases[n] == timer { // otherwise it has been stopped too late
			delete(b.mu.leases, n)
			b.emptyLocked(n)
		}
	})
	return timer
}

// awayLocked reports whether the broker hears nothing of n.
func (n *node) awayLocked() bool { return n.phase == over || n.lost != nil }
