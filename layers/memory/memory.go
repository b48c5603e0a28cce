// Package memory is a driver for one process. It keeps named channels, the history of groups
// and presence in the memory of the process, so that they are lost when it ends.
//
// layers.Default() and the zero layers.Layer have such a driver. A program that needs
// several layers, or other limits for named channels, opens a layer:
//
//	layer, err := layers.Open(ctx, memory.New(&memory.Options{Channels: ...}))
//
// A layer with a driver of [New] reaches only its own members. Layers within one process
// that have to reach each other's members use drivers of one [Hub].
package memory

import (
	"fmt"
	"log/slog"
	"path"
	"time"

	"github.com/wye-go/wye/layers/internal/store"
)

// The limits of a named channel by default, as in Channels.
const (
	defaultCapacity = 100
	defaultExpiry   = time.Minute
)

// Options configure a driver. The zero value, and nil, mean the defaults.
type Options struct {
	// Channels bound the named channels. The first whose Pattern matches a name holds;
	// a channel that none matches has the defaults of ChannelLimit.
	Channels []ChannelLimit
	// Logger gets a line when events expire: at most one a minute, with their number
	// since the last. Default slog.Default().
	Logger *slog.Logger
}

// ChannelLimit bounds the events that wait in a named channel for a worker. It applies to
// each channel whose name matches Pattern, not to all of them together.
type ChannelLimit struct {
	// Pattern is the name of a channel, or several: * stands for any text, ? for any
	// character, [a-f] for one of these, as in path.Match.
	Pattern string
	// Capacity is how many events wait. Layer.Send returns ErrChannelFull for the next one.
	// Default 100.
	Capacity int
	// Expiry is how long an event waits. Then it is dropped, and counted in
	// Stats.Expired of the layer. Default one minute.
	Expiry time.Duration
}

// New returns the driver of a layer that has no other nodes. o may be nil. New panics if
// path.Match does not accept a Pattern, or if a Capacity or Expiry is negative.
func New(o *Options) *Driver {
	h := NewHub(o)
	h.only = h.Node()
	return h.only
}

// NewHub returns a hub without nodes. o applies to the named channels that its nodes share;
// it may be nil. NewHub panics if [New] would.
func NewHub(o *Options) *Hub {
	h := &Hub{}
	h.topics.deliver = h.deliver
	h.nodes.byName = make(map[string]*Driver)
	h.nodes.byGroup = make(map[string][]*Driver)
	h.channels.mu.queues.Limit = limitsOf(nil)
	h.channels.mu.queues.Expired = h.channels.noteExpired
	if o != nil {
		h.channels.logger = o.Logger
		h.channels.mu.queues.Limit = limitsOf(o.Channels)
	}
	return h
}

// limitsOf returns the function that finds the limit of a channel.
func limitsOf(limits []ChannelLimit) func(channel string) store.Limit {
	filled := make([]ChannelLimit, len(limits))
	for i, l := range limits {
		if _, err := path.Match(l.Pattern, ""); err != nil || l.Pattern == "" {
			panic(fmt.Sprintf("wye: memory.New: Channels[%d].Pattern is %q, which is not a pattern of path.Match", i, l.Pattern))
		}
		if l.Capacity < 0 || l.Expiry < 0 {
			panic(fmt.Sprintf("wye: memory.New: Channels[%d] of %q has a Capacity of %d and an Expiry of %v; none may be negative",
				i, l.Pattern, l.Capacity, l.Expiry))
		}
		filled[i] = l
		if l.Capacity == 0 {
			filled[i].Capacity = defaultCapacity
		}
		if l.Expiry == 0 {
			filled[i].Expiry = defaultExpiry
		}
	}
	return func(channel string) store.Limit {
		for _, l := range filled {
			if ok, _ := path.Match(l.Pattern, channel); ok { //nolint:errcheck // the pattern has been tried above
				return store.Limit{Capacity: l.Capacity, Expiry: l.Expiry}
			}
		}
		return store.Limit{Capacity: defaultCapacity, Expiry: defaultExpiry}
	}
}
