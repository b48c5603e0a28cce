package main

import (
	"context"
	"fmt"

	"github.com/centrifugal/centrifuge"

	"github.com/wye-go/wye/bench/internal/node"
)

// Record publishes a message with a history.
func (h *hub) Record(_ context.Context, group string, sentAt int64) error {
	_, err := h.node.Publish(group, text(sentAt), centrifuge.WithHistory(node.Kept, node.KeptFor))
	return err
}

// Recover reads what a client has missed, as the node does when a client subscribes that
// recovers. The rest of a subscription is not done.
func (h *hub) Recover(_ context.Context, group string, missed int) (int, error) {
	since, err := h.before(group, missed)
	if err != nil {
		return 0, err
	}
	filter := centrifuge.HistoryFilter{Limit: centrifuge.NoLimit, Since: since}
	r, err := h.node.History(group, centrifuge.WithHistoryFilter(filter))
	return len(r.Publications), err
}

// before returns the position that a client has that has missed some messages. The newest
// position is read once.
func (h *hub) before(group string, missed int) (*centrifuge.StreamPosition, error) {
	if missed == 0 {
		return nil, nil //nolint:nilnil // centrifuge's way to say that the client has seen nothing
	}
	if h.last == nil {
		top, err := h.node.History(group)
		if err != nil {
			return nil, err
		}
		h.last = &top.StreamPosition
	}
	if h.last.Offset < uint64(missed) {
		return nil, fmt.Errorf("there are %d messages; want at least %d", h.last.Offset, missed)
	}
	return &centrifuge.StreamPosition{Offset: h.last.Offset - uint64(missed), Epoch: h.last.Epoch}, nil
}

// Enter adds a presence, as the node does for a client that subscribes.
func (h *hub) Enter(_ context.Context, group string, p node.Presence) error {
	return h.broker.presences.AddPresence(group, p.ID, &centrifuge.ClientInfo{ClientID: p.ID, UserID: p.User, ConnInfo: p.Meta})
}

// Present reads all presences.
func (h *hub) Present(_ context.Context, group string) (int, error) {
	r, err := h.node.Presence(group)
	return len(r.Presence), err
}

// Count counts them.
func (h *hub) Count(_ context.Context, group string) (int, error) {
	r, err := h.node.PresenceStats(group)
	if err == nil && r.NumUsers != r.NumClients {
		err = fmt.Errorf("there are %d users with %d connections; want the same number", r.NumUsers, r.NumClients)
	}
	return r.NumClients, err
}
