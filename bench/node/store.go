package main

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/bench/internal/node"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Record records an event.
func (h hub) Record(ctx context.Context, group string, sentAt int64) error {
	_, err := h.layer.Record(ctx, group, said.New(line{sentAt, node.Text}), layers.Retention{MaxEvents: node.Kept, MaxAge: node.KeptFor})
	return err
}

// Recover makes a new member join that has missed some events, and leave.
func (h hub) Recover(ctx context.Context, group string, missed int) (int, error) {
	after, err := h.before(ctx, group, missed)
	if err != nil {
		return 0, err
	}
	m := &guest{}
	got, err := h.layer.JoinFrom(ctx, group, m, layers.Range{After: after})
	h.layer.Leave(group, m)
	if err == nil && (missed > 0 && !got.Complete || m.delivered > 0) {
		err = fmt.Errorf("the history after %v is not complete, or has grown", after)
	}
	return len(got.Events), err
}

// before returns the position that a member has that has missed some events. It is read once
// for each number of events.
func (h hub) before(ctx context.Context, group string, missed int) (p protocol.Position, err error) {
	p, ok := h.seen[missed]
	if ok || missed == 0 {
		return p, nil
	}
	all, err := h.layer.History(ctx, group, layers.Range{Limit: missed + 1, Newest: true})
	if err != nil {
		return p, err
	}
	if len(all.Events) != missed+1 {
		return p, fmt.Errorf("there are %d events; want more than %d", len(all.Events), missed)
	}
	p = all.Events[0].Position()
	h.seen[missed] = p
	return p, nil
}

// guest is a member that is there for a moment.
type guest struct{ delivered int }

// Deliver is not called: nobody records meanwhile.
func (g *guest) Deliver(*protocol.Event) (yield bool) {
	g.delivered++
	return false
}

// Offer is not called either.
func (*guest) Offer(*protocol.Prepared) (yield bool) { return false }

// Enter enters a presence.
func (h hub) Enter(ctx context.Context, group string, p node.Presence) error {
	return h.layer.Enter(ctx, group, layers.Presence{ID: p.ID, Key: p.User, Meta: p.Meta})
}

// Present reads all presences.
func (h hub) Present(ctx context.Context, group string) (int, error) {
	all, err := h.layer.Present(ctx, group)
	return len(all), err
}

// Count counts them.
func (h hub) Count(ctx context.Context, group string) (int, error) {
	n, err := h.layer.CountPresent(ctx, group)
	if err == nil && n.Keys != n.Presences {
		err = fmt.Errorf("there are %d users with %d connections; want the same number", n.Keys, n.Presences)
	}
	return n.Presences, err
}
