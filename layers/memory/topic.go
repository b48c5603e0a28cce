package memory

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/layers/internal/table"
	"github.com/wye-go/wye/protocol"
)

// sweepEvery is how often a call that records or reads looks for histories that are too
// old, in one shard.
const sweepEvery = time.Second

// topics are what is kept of groups.
type topics struct {
	deliver   func(group string, e *protocol.Event)
	table     table.Table[*topic]
	nextSweep atomic.Int64  // in Unix nanoseconds
	swept     atomic.Uint32 // how many shards have been
}

// topic is what is kept of one group, and the stream of its events. The stream's lock
// guards all of it, and is never held while a shard of the table is being locked.
type topic struct {
	stream

	name      string
	deliver   func(*protocol.Event)
	history   *store.History // nil before the first event
	presences store.Presences[*Driver]
	removed   bool // no longer in the table
}

// find returns the topic of group, locked, or nil.
func (ts *topics) find(group string) *topic {
	t, ok := ts.table.Get(group)
	if !ok {
		return nil
	}
	t.Lock()
	if t.removed {
		t.Unlock()
		return nil
	}
	return t
}

// enter returns the topic of group, locked, with room for an event. It adds the topic if
// there is none.
func (ts *topics) enter(ctx context.Context, group string) (*topic, error) {
	for {
		t := ts.findOrAdd(group)
		if err := t.lockWithRoom(ctx); err != nil {
			return nil, err
		}
		if !t.removed {
			return t, nil
		}
		t.Unlock()
	}
}

func (ts *topics) findOrAdd(group string) *topic {
	if t, ok := ts.table.Get(group); ok {
		return t
	}
	s := ts.table.Shard(group)
	s.Lock()
	defer s.Unlock()
	t := s.Get(group)
	if t == nil {
		t = &topic{name: group, deliver: func(e *protocol.Event) { ts.deliver(group, e) }}
		s.Put(group, t)
	}
	return t
}

// addChangesAndUnlock delivers the presence changes of t.
func (ts *topics) addChangesAndUnlock(t *topic, changes []store.Change) {
	events := make([]*protocol.Event, len(changes))
	for i, c := range changes {
		events[i] = c.Event(t.name)
	}
	t.addAndUnlock(events, t.deliver, func() { ts.removeEmpty(t) })
}

// removeEmpty removes t if nothing is kept in it.
func (ts *topics) removeEmpty(t *topic) {
	s := ts.table.Shard(t.name)
	s.Lock()
	defer s.Unlock()
	if t.tidy(time.Now()) {
		s.Delete(t.name)
	}
}

// sweep searches one shard, once a second, for what is too old.
func (ts *topics) sweep(now time.Time) {
	next := ts.nextSweep.Load()
	if now.UnixNano() < next || !ts.nextSweep.CompareAndSwap(next, now.Add(sweepEvery).UnixNano()) {
		return
	}
	s := &ts.table[ts.swept.Add(1)%table.Shards]
	s.Lock()
	defer s.Unlock()
	for group, t := range s.All {
		if t.tidy(now) {
			s.Delete(group)
		}
	}
}

// tidy drops old events. It reports whether the topic is empty, and then no caller will
// add to it: it is to be removed from the table, whose shard is locked.
func (t *topic) tidy(now time.Time) (empty bool) {
	t.Lock()
	defer t.Unlock()
	if t.removed {
		return false
	}
	if t.history.IsForgotten(now) {
		t.history = nil
		t.removed = t.isIdle() && t.presences.Count().Presences == 0
		return t.removed
	}
	t.history.Trim(now)
	return false
}
