package layers

import (
	"runtime"

	"github.com/wye-go/wye/protocol"
)

// Watcher is a [Member] that gets events that the layer itself sends. A Member that
// does not implement it gets none of them. A consumer's connection gets those that the
// consumer declared a handler for.
type Watcher interface {
	// Watches reports whether the member gets events of this type, which is that
	// of Down, Up, Gap, Entered, Changed or Exited.
	Watches(typ string) bool
}

// receiver is the layer as its driver sees it.
type receiver Layer

var _ Receiver = (*receiver)(nil)

func (r *receiver) Node() string { return (*Layer)(r).Node() }

func (r *receiver) Group(group string, e *protocol.Event) {
	r.counters.received.Add(1)
	(*Layer)(r).deliver(group, e, nil)
}

func (r *receiver) Channel(channel string, e *protocol.Event) {
	r.counters.received.Add(1)
	if m, here := r.channels.get(channel); here {
		if hand(m, e) {
			runtime.Gosched()
		}
	}
}

func (r *receiver) State(cause error) {
	e := Up.New(Outage{})
	if cause != nil {
		r.counters.downs.Add(1)
		e = Down.New(Outage{Cause: cause.Error()})
	}
	if e.Seal() != nil {
		return // it is a struct with a string
	}
	told := make(map[Member]struct{})
	for _, group := range r.all() {
		all := (*Layer)(r).members(group)
		for chunk := range all.chunks {
			for _, m := range chunk {
				if _, again := told[who(m)]; !again && watches(m, e.Type()) {
					told[who(m)] = struct{}{}
					m.Deliver(e)
				}
			}
		}
	}
}

func (r *receiver) Gap(groups ...string) {
	r.counters.gaps.Add(1)
	if len(groups) == 0 {
		groups = r.all()
	}
	for _, group := range groups {
		e := Gap.New(Loss{Group: group})
		if e.Seal() != nil {
			continue
		}
		all := (*Layer)(r).members(group)
		for chunk := range all.chunks {
			for _, m := range chunk {
				if watches(m, e.Type()) {
					m.Deliver(e)
				}
			}
		}
	}
}

// all are the names of all groups.
func (r *receiver) all() []string {
	var names []string
	for i := range r.groups {
		s := &r.groups[i]
		s.RLock()
		for name := range s.names {
			names = append(names, name)
		}
		s.RUnlock()
	}
	return names
}

func watches(m Member, typ string) bool {
	w, ok := m.(Watcher)
	return ok && w.Watches(typ)
}
