package memory

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

// Hub connects the layers of several nodes within one process, and holds what they share:
// history, presence and named channels. Each node gets its own copy of an event, as if the
// event had been sent over a network. [NewHub] makes one.
type Hub struct {
	only     *Driver // the one node, by New; nil: there may be many
	topics   topics
	channels channels

	nodes struct {
		sync.RWMutex
		byName  map[string]*Driver   // started and not closed
		byGroup map[string][]*Driver // that have subscribed
	}
}

// Node adds a node to the hub and returns its driver, for layers.Open.
func (h *Hub) Node() *Driver { return &Driver{hub: h} }

// deliver delivers e, which the hub keeps or has made, to all nodes that have subscribed
// to group.
func (h *Hub) deliver(group string, e *protocol.Event) {
	if h.only != nil {
		h.only.receive(func(r driver.Receiver) { r.Group(group, e) })
		return
	}
	h.publish(group, e, nil)
}

// publish delivers copies of e to the nodes that have subscribed to group, except the
// node that sends it.
func (h *Hub) publish(group string, e *protocol.Event, except *Driver) {
	for _, d := range h.subscribers(group) {
		if d == except {
			continue
		}
		if own, err := copyEvent(e); err == nil {
			d.receive(func(r driver.Receiver) { r.Group(group, own) })
		}
	}
}

// copyEvent returns e as it would arrive from another process: in bytes that nothing else
// uses. The error is that of an event which cannot be encoded.
func copyEvent(e *protocol.Event) (*protocol.Event, error) {
	body, err := events.Payload(e)
	if err != nil {
		return nil, err
	}
	own, err := events.New(e.Type(), bytes.Clone(body))
	if err != nil {
		return nil, err
	}
	return events.At(own, e.Position()), nil
}

func (h *Hub) subscribers(group string) []*Driver {
	h.nodes.RLock()
	defer h.nodes.RUnlock()
	return slices.Clone(h.nodes.byGroup[group])
}

// node returns the node of a name, or nil.
func (h *Hub) node(name string) *Driver {
	h.nodes.RLock()
	defer h.nodes.RUnlock()
	return h.nodes.byName[name]
}

// unsubscribeLocked takes d out of group.
func (h *Hub) unsubscribeLocked(d *Driver, group string) {
	rest := slices.DeleteFunc(slices.Clone(h.nodes.byGroup[group]), func(o *Driver) bool { return o == d })
	if len(rest) == 0 {
		delete(h.nodes.byGroup, group)
		return
	}
	h.nodes.byGroup[group] = rest
}

// removeNode removes d and all that it has subscribed to.
func (h *Hub) removeNode(d *Driver) {
	h.nodes.Lock()
	defer h.nodes.Unlock()
	delete(h.nodes.byName, d.name)
	for group := range h.nodes.byGroup {
		h.unsubscribeLocked(d, group)
	}
}

// read returns what is kept of a group's history in r.
func (h *Hub) read(group string, r driver.Range) driver.History {
	now := time.Now()
	h.topics.sweep(now)
	t := h.topics.find(group)
	if t == nil {
		return (*store.History)(nil).Read(r, now)
	}
	defer t.Unlock()
	return t.history.Read(r, now)
}

// expire ends a presence that lingers, unless another one has replaced it.
func (h *Hub) expire(group, id string) {
	if t := h.topics.find(group); t != nil {
		h.topics.addChangesAndUnlock(t, t.presences.Expire(id, time.Now()))
	}
}

// exitAll removes all presences that d has entered.
func (h *Hub) exitAll(d *Driver) {
	for _, group := range h.topics.table.Names() {
		if t := h.topics.find(group); t != nil {
			h.topics.addChangesAndUnlock(t, t.presences.ExitAll(d))
		}
	}
}
