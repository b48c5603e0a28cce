package layers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

// Record is GroupSend to all members for an event that is kept, so that whoever
// comes later, or comes back, can have it: see [Layer.JoinFrom]. It returns the
// event's place in the group's history. Members get a copy of e that knows its
// place.
//
// Recorded events are a lane of their own: all members get them in the order of
// their places, whoever has sent them, and a recorded event and one that is only
// sent may overtake each other. When Record returns the event is kept and on its
// way; if nobody else records to the group at the time, it is in the members'
// queues.
//
// Errors as in GroupSend, but then nobody has got e, and it is not kept; and a Keep
// that is out of bounds, ErrBehind if a few hundred events of the group wait and
// none is taken for a second, or errors.ErrUnsupported for a driver without
// history. How many groups have a history is not limited: do not let a peer choose
// their names.
//
// Without a driver the history is in the memory of this process and ends with it.
// It is forgotten an hour after its last event has become too old; memory is given
// back when other histories of the layer are used. Django Channels has nothing of
// the kind.
func (l *Layer) Record(ctx context.Context, group string, e *protocol.Event, k Keep) (protocol.Position, error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return protocol.Position{}, err
	}
	k, err := k.WithDefaults()
	if err != nil {
		return protocol.Position{}, err
	}
	if err := e.Seal(); err != nil {
		return protocol.Position{}, err
	}
	if l.driver == nil {
		return l.record(ctx, group, e, k)
	}
	d, err := l.historian()
	if err != nil {
		return protocol.Position{}, err
	}
	p, err := d.Append(ctx, group, e, k)
	l.counters.publish(err)
	return p, err
}

// History returns what is kept of a group's history in r, oldest first. To read it in
// pages, go on after the position of the last of Events. The last 50 events are those
// of
//
//	Range{Limit: 50, Newest: true}
//
// Errors: an invalid name, ctx's, the driver's, or errors.ErrUnsupported if it keeps no
// history.
func (l *Layer) History(ctx context.Context, group string, r Range) (History, error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return History{}, err
	}
	return l.read(ctx, group, r)
}

func (l *Layer) read(ctx context.Context, group string, r Range) (History, error) {
	r.Limit = max(r.Limit, 0)
	if l.driver == nil {
		return l.histories.read(group, r), nil
	}
	d, err := l.historian()
	if err != nil {
		return History{}, err
	}
	return d.Read(ctx, group, r)
}

// historian is the driver, which there is, if it keeps history.
func (l *Layer) historian() (Historian, error) {
	if d, ok := l.driver.(Historian); ok {
		return d, nil
	}
	return nil, l.unsupported("keeps no history", "layers.Historian")
}

func (l *Layer) unsupported(what, name string) error {
	return fmt.Errorf("wye: the layer's driver %T %s, because it is no %s; use one that is, or a layer of this process only (memory.New): %w",
		l.driver, what, name, errors.ErrUnsupported)
}

// record is Record for this process only.
func (l *Layer) record(ctx context.Context, group string, e *protocol.Event, k Keep) (protocol.Position, error) {
	h, err := l.histories.enter(ctx, group)
	if err != nil {
		return protocol.Position{}, err
	}
	now := time.Now()
	if h.ring == nil || h.ring.Forgotten(now) {
		h.ring = store.NewRing(newEpoch())
	}
	e = h.ring.Append(e, k.Events, k.For, now)
	h.put([]*protocol.Event{e}, func(e *protocol.Event) { l.deliver(group, e, nil) }, nil)
	l.histories.sweep(now)
	return e.Position(), nil
}

// newEpoch is a name that no other history has.
func newEpoch() string { return rand.Text()[:12] }

// sweepEvery is how often somebody who records or reads looks for what can go.
const sweepEvery = time.Second

// histories are those of a layer without a driver. The zero value is empty.
type histories struct {
	table table[*history]
	next  atomic.Int64  // when to sweep, in Unix nanoseconds
	swept atomic.Uint32 // how many shards have been
}

// history is that of one group. The lane's lock is also that of the ring, and is
// never held while the table is looked at.
type history struct {
	lane
	ring *store.Ring // nil before the first event
	gone bool       // not in the table any more
}

// enter returns the history of group, locked, with room for an event.
func (hs *histories) enter(ctx context.Context, group string) (*history, error) {
	for {
		h := hs.at(group)
		if err := h.enter(ctx); err != nil {
			return nil, err
		}
		if !h.gone {
			return h, nil
		}
		h.Unlock()
	}
}

// at returns the history of group, which it adds if need be.
func (hs *histories) at(group string) *history {
	if h, ok := hs.table.get(group); ok {
		return h
	}
	s := hs.table.shard(group)
	s.Lock()
	defer s.Unlock()
	h := s.get(group)
	if h == nil {
		h = &history{}
		s.put(group, h)
	}
	return h
}

func (hs *histories) read(group string, r Range) History {
	now := time.Now()
	hs.sweep(now)
	h, ok := hs.table.get(group)
	if !ok {
		return History(store.Nothing(r.After))
	}
	h.Lock()
	defer h.Unlock()
	if h.gone || h.ring == nil || h.ring.Forgotten(now) {
		return History(store.Nothing(r.After))
	}
	return History(h.ring.Read(store.Range(r), now))
}

// sweep looks at one shard, now and then, for what is too old.
func (hs *histories) sweep(now time.Time) {
	next := hs.next.Load()
	if now.UnixNano() < next || !hs.next.CompareAndSwap(next, now.Add(sweepEvery).UnixNano()) {
		return
	}
	s := &hs.table[hs.swept.Add(1)%shards]
	s.Lock()
	defer s.Unlock()
	for group, h := range s.names {
		if h.tidy(now) {
			s.drop(group)
		}
	}
}

// tidy lets go of old events. It reports whether the history itself can go, and
// then nobody will add to it.
func (h *history) tidy(now time.Time) bool {
	h.Lock()
	defer h.Unlock()
	switch {
	case h.ring == nil: // about to be used
		return false
	case h.idle() && h.ring.Forgotten(now):
		h.gone = true
	default:
		h.ring.Trim(now)
	}
	return h.gone
}
