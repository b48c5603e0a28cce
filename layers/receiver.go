package layers

import (
	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// receiver is the layer as its driver sees it.
type receiver Layer

// localReceiver is the receiver of a layer that has no other nodes: what its own driver
// delivers does not count as received.
type localReceiver struct{ *receiver }

var (
	_ driver.Receiver = (*receiver)(nil)
	_ driver.Receiver = localReceiver{}
)

// Node returns the name of the layer's node.
func (r *receiver) Node() string { return (*Layer)(r).Node() }

// Group delivers e to the members of group.
func (r *receiver) Group(group string, e *protocol.Event) {
	r.counters.received.Add(1)
	(*Layer)(r).deliverRecorded(group, e)
}

// Channel delivers e to the member that has this channel, if it is there.
func (r *receiver) Channel(channel string, e *protocol.Event) {
	r.counters.received.Add(1)
	if m, here := r.channels.Get(channel); here {
		deliverTo(m, e)
	}
}

// State sends Down or Up to the members that watch the layer, once to each.
func (r *receiver) State(cause error) {
	e := Up.New(StateEvent{})
	if cause != nil {
		r.counters.downs.Add(1)
		e = Down.New(StateEvent{Cause: cause.Error()})
	}
	if events.Seal(e) != nil {
		return // it is a struct with a string
	}
	seen := make(map[Member]struct{})
	for _, group := range r.groups.Names() {
		all, _ := (*Layer)(r).walk(group, nil)
		for chunk := range all.Chunks {
			for _, m := range chunk {
				if _, again := seen[original(m)]; !again && watches(m, e.Type()) {
					seen[original(m)] = struct{}{}
					m.Deliver(e)
				}
			}
		}
	}
}

// Gap sends Gap to the members of groups, or of all groups, that watch the layer.
func (r *receiver) Gap(groups ...string) {
	r.counters.gaps.Add(1)
	if len(groups) == 0 {
		groups = r.groups.Names()
	}
	for _, group := range groups {
		if e := Gap.New(GapEvent{Group: group}); events.Seal(e) == nil {
			all, _ := (*Layer)(r).walk(group, nil)
			deliverToAll(all, e, nil)
		}
	}
}

// Group delivers e to the members of group.
func (r localReceiver) Group(group string, e *protocol.Event) {
	(*Layer)(r.receiver).deliverRecorded(group, e)
}
