package layertest

import (
	"context"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

var _ layers.Historian = (*node)(nil)

func (n *node) Append(ctx context.Context, group string, e *protocol.Event, k layers.Retention) (protocol.Position, error) {
	p, err := n.packAndWait(ctx, e)
	if err != nil {
		return protocol.Position{}, err
	}
	own, err := p.unpack() // that of the history, which no node has
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
	h := b.mu.histories[group].Continue(now)
	b.mu.histories[group] = h
	at := h.Append(own, k, now).Position()
	for _, to := range b.mu.groups[group] {
		b.sendLocked(to, p, func(r layers.Receiver, e *protocol.Event) { r.Group(group, events.At(e, at)) })
	}
	return at, nil
}

func (n *node) Read(ctx context.Context, group string, r layers.Range) (layers.History, error) {
	if err := n.waitSlow(ctx); err != nil {
		return layers.History{}, err
	}
	h, err := n.readShared(group, r)
	if err != nil {
		return layers.History{}, err
	}
	for i, e := range h.Events {
		if h.Events[i], err = copyEvent(e); err != nil {
			return layers.History{}, err
		}
	}
	return h, nil
}

// readShared reads what the broker has, in events that are its own.
func (n *node) readShared(group string, r layers.Range) (layers.History, error) {
	b := n.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.usableLocked(); err != nil {
		return layers.History{}, err
	}
	now := time.Now()
	b.sweepLocked(now)
	return b.mu.histories[group].Read(r, now), nil
}

// sweepEvery is how often a call searches all histories for old events.
const sweepEvery = time.Minute

// sweepLocked drops, once a minute, the old events of all histories, and those histories
// that are forgotten.
func (b *Broker) sweepLocked(now time.Time) {
	if now.Before(b.mu.nextSweep) {
		return
	}
	b.mu.nextSweep = now.Add(sweepEvery)
	for group, h := range b.mu.histories {
		if h.IsForgotten(now) {
			delete(b.mu.histories, group)
		} else {
			h.Trim(now)
		}
	}
}
