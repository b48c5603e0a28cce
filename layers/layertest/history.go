package layertest

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

var _ layers.Historian = (*node)(nil)

func (n *node) Append(ctx context.Context, group string, e *protocol.Event, k layers.Keep) (protocol.Position, error) {
	l, err := n.enter(ctx, e)
	if err != nil {
		return protocol.Position{}, err
	}
	own, err := l.read() // that of the history, which no node has
	if err != nil {
		return protocol.Position{}, err
	}
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return protocol.Position{}, err
	}
	now := time.Now()
	b.sweepLocked(now)
	r := b.mu.histories[group]
	if r == nil || r.Forgotten(now) {
		r = store.NewRing(rand.Text()[:12])
		b.mu.histories[group] = r
	}
	p := r.Append(own, k.Events, k.For, now).Position()
	for _, to := range b.mu.groups[group] {
		b.sendLocked(to, l, func(r layers.Receiver, e *protocol.Event) { r.Group(group, e.At(p)) })
	}
	return p, nil
}

func (n *node) Read(ctx context.Context, group string, r layers.Range) (layers.History, error) {
	if err := n.pass(ctx); err != nil {
		return layers.History{}, err
	}
	h, err := n.page(group, r)
	if err != nil {
		return layers.History{}, err
	}
	for i, e := range h.Events {
		l, err := write(e)
		if err != nil {
			return layers.History{}, err
		}
		own, err := l.read()
		if err != nil {
			return layers.History{}, err
		}
		h.Events[i] = own.At(e.Position())
	}
	return h, nil
}

// page reads what the broker has, in events that are its own.
func (n *node) page(group string, what layers.Range) (layers.History, error) {
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return layers.History{}, err
	}
	now := time.Now()
	b.sweepLocked(now)
	r := b.mu.histories[group]
	if r == nil || r.Forgotten(now) {
		return layers.History(store.Nothing(what.After)), nil
	}
	return layers.History(r.Read(store.Range(what), now)), nil
}

// sweepEvery is how often a call looks for histories that can go.
const sweepEvery = time.Minute

// sweepLocked lets go, now and then, of what is too old in all histories, and of
// those that are forgotten.
func (b *Broker) sweepLocked(now time.Time) {
	if now.Before(b.mu.sweep) {
		return
	}
	b.mu.sweep = now.Add(sweepEvery)
	for group, r := range b.mu.histories {
		if r.Forgotten(now) {
			delete(b.mu.histories, group)
		} else {
			r.Trim(now)
		}
	}
}
