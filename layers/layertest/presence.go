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

// entryKey identifies a presence among those of all groups.
type entryKey struct{ group, id string }

func (n *node) Enter(ctx context.Context, group string, p layers.Presence) error {
	if err := n.waitSlow(ctx); err != nil {
		return err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return err
	}
	p.Meta = bytes.Clone(p.Meta)
	b.addPresenceLocked(n, group, p)
	return nil
}

func (n *node) Exit(ctx context.Context, group, id string, linger time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	waitErr := n.waitSlow(ctx) // a caller that waits no longer has asked all the same
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(n.entered, entryKey{group, id}) // also if it is down: the broker learns of it later
	if err := n.usableLocked(); err != nil {
		return cmp.Or(waitErr, err)
	}
	if linger > 0 {
		b.lingerLocked(n, group, id, linger)
	} else {
		b.removePresenceLocked(n, group, id)
	}
	return waitErr
}

// lingerLocked has what n has entered stay for a while.
func (b *Broker) lingerLocked(n *node, group, id string, linger time.Duration) {
	c := b.mu.presences[group]
	if c == nil || !c.Linger(id, n, time.Now().Add(linger)) {
		return
	}
	time.AfterFunc(linger, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if c := b.mu.presences[group]; c != nil {
			b.sendChangesLocked(group, c.Expire(id, time.Now()))
		}
	})
}

func (n *node) Present(ctx context.Context, group, key string) (all []layers.Presence, err error) {
	err = n.withPresences(ctx, group, func(c *store.Presences[*node]) {
		all = c.Present(key)
		for i, p := range all {
			all[i].Meta = bytes.Clone(p.Meta)
		}
	})
	return all, err
}

func (n *node) Count(ctx context.Context, group string) (count layers.PresenceCount, err error) {
	err = n.withPresences(ctx, group, func(c *store.Presences[*node]) { count = c.Count() })
	return count, err
}

// withPresences calls f with the presences of group, if there are any.
func (n *node) withPresences(ctx context.Context, group string, f func(*store.Presences[*node])) error {
	if err := n.waitSlow(ctx); err != nil {
		return err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return err
	}
	if c := b.mu.presences[group]; c != nil {
		f(c)
	}
	return nil
}

// addPresenceLocked has n enter p.
func (b *Broker) addPresenceLocked(n *node, group string, p layers.Presence) {
	c := b.mu.presences[group]
	if c == nil {
		c = new(store.Presences[*node])
		b.mu.presences[group] = c
	}
	at := entryKey{group, p.ID}
	if before, ok := c.Owner(p.ID); ok && before != n {
		delete(before.entered, at) // it is n's now
	}
	changes := c.Enter(p, n)
	if old, again := n.entered[at]; again && old.Key == p.Key {
		p.Since = old.Since
	}
	n.entered[at] = p
	b.sendChangesLocked(group, changes)
}

// removePresenceLocked removes what n has entered.
func (b *Broker) removePresenceLocked(n *node, group, id string) {
	if c := b.mu.presences[group]; c != nil {
		b.sendChangesLocked(group, c.Exit(id, n))
	}
}

// sendChangesLocked sends what has changed in group to all nodes that have subscribed to it,
// and forgets the group if no key is left.
func (b *Broker) sendChangesLocked(group string, changes []store.Change) {
	if b.mu.presences[group].Count().Presences == 0 {
		delete(b.mu.presences, group)
	}
	for _, change := range changes {
		p, err := pack(change.Event(group))
		if err != nil {
			continue // only metadata that is not JSON can be why
		}
		for _, to := range b.mu.groups[group] {
			b.sendLocked(to, p, func(r layers.Receiver, e *protocol.Event) { r.Group(group, e) })
		}
	}
}

// presencesLocked are those of n, as the broker knows them, ordered.
func (b *Broker) presencesLocked(n *node) []entryKey {
	var all []entryKey
	for group, c := range b.mu.presences {
		for _, id := range c.OwnedBy(n) {
			all = append(all, entryKey{group, id})
		}
	}
	slices.SortFunc(all, comparePresenceKeys)
	return all
}

func comparePresenceKeys(a, b entryKey) int {
	return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.id, b.id))
}

// removePresencesLocked removes all that n has entered.
func (b *Broker) removePresencesLocked(n *node) {
	for _, at := range b.presencesLocked(n) {
		b.removePresenceLocked(n, at.group, at.id)
	}
}

// syncPresencesLocked has n, which has connected again, exit what has gone meanwhile, and
// enter again what the broker has given up.
func (b *Broker) syncPresencesLocked(n *node) {
	if n.isAwayLocked() {
		return
	}
	known := b.presencesLocked(n)
	for _, at := range known {
		if _, still := n.entered[at]; !still && !b.mu.presences[at.group].Lingers(at.id) {
			b.removePresenceLocked(n, at.group, at.id)
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(n.entered), comparePresenceKeys) {
		if !slices.Contains(known, at) {
			b.addPresenceLocked(n, at.group, n.entered[at])
		}
	}
}

// updateLeasesLocked starts the leases of nodes that are away and have entered something,
// and ends the others. While the broker is stopped no lease runs.
func (b *Broker) updateLeasesLocked() {
	for n, timer := range b.mu.leases {
		if b.mu.stopped || !n.isAwayLocked() {
			timer.Stop()
			delete(b.mu.leases, n)
		}
	}
	if b.mu.stopped {
		return
	}
	for _, c := range b.mu.presences {
		for _, n := range c.Owners() {
			if n.isAwayLocked() && b.mu.leases[n] == nil {
				b.mu.leases[n] = b.startLeaseLocked(n)
			}
		}
	}
}

// startLeaseLocked has all that n has entered exit after a while.
func (b *Broker) startLeaseLocked(n *node) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(b.lease, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.mu.leases[n] == timer { // otherwise it has been stopped too late
			delete(b.mu.leases, n)
			b.removePresencesLocked(n)
		}
	})
	return timer
}

// isAwayLocked reports whether the broker hears nothing of n.
func (n *node) isAwayLocked() bool { return n.phase == closed || n.down != nil }
