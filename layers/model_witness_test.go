package layers_test

import (
	"sync"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// ack is a record that was acknowledged.
type ack struct {
	n            int
	at           protocol.Position
	began, ended time.Time
	stops        int // of the broker before
}

// claim is what a History with Complete false has told.
type claim struct {
	after, last protocol.Position
	lost        protocol.Position // everything up to here, and all epochs before
	at          time.Time
	stops       int
}

// witness is a reader as an application would be one: it keeps the position of what
// it has processed last, and comes back from there. It writes down what it is given
// that it must not be.
type witness struct {
	*chronicle

	name string
	mu   struct {
		sync.Mutex
		pos    protocol.Position         // of the last event that was processed
		next   protocol.Position         // which must be the next one; no epoch: the first of any
		again  bool                      // what was on its way may come although it was read
		left   map[string]bool           // epochs before
		seen   map[protocol.Position]int // the numbers of all events
		claims []claim
	}
}

func newWitness(c *chronicle, name string) *witness {
	w := &witness{chronicle: c, name: name}
	w.mu.left, w.mu.seen = make(map[string]bool), make(map[protocol.Position]int)
	return w
}

func (w *witness) position() protocol.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.pos
}

// read takes what JoinFrom has returned, for a member that is new, or not. The events
// themselves are for event. stops is how often the broker had been stopped before the
// call, and by now.
func (w *witness) read(h layers.History, again bool, stopsBefore, stops int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	after := w.mu.pos
	w.mu.again = again
	first, last := after, after
	if len(h.Events) > 0 {
		first, last = h.Events[0].Position(), h.Events[len(h.Events)-1].Position()
		first.Offset--
	} else if !h.Complete {
		first, last = h.Last, h.Last
	}
	w.logf("%s: after %q, read %d events up to %q, complete: %t", w.name, after, len(h.Events), h.Last, h.Complete)
	switch {
	case last != h.Last:
		w.wrongf("%s has read up to %q, and the last is %q", w.name, last, h.Last)
	case h.Complete && first.Offset != after.Offset, h.Complete && !after.IsZero() && first.Epoch != after.Epoch:
		w.wrongf("%s has read what is said to be complete behind %q, and begins behind %q", w.name, after, first)
	case !h.Complete:
		w.saw("incomplete")
		w.mu.claims = append(w.mu.claims, claim{after: after, last: h.Last, lost: first, at: time.Now(), stops: stops})
	case len(h.Events) > 0:
		w.saw("complete")
	}
	if after.IsZero() { // nothing tells whoever has seen nothing what was before
		w.mu.claims = append(w.mu.claims, claim{lost: first, stops: stopsBefore})
	}
	if after.Epoch != h.Last.Epoch {
		w.mu.left[after.Epoch] = true
	}
	w.mu.next = protocol.Position{Epoch: first.Epoch, Offset: first.Offset + 1}
	if len(h.Events) == 0 && !h.Last.IsZero() {
		w.mu.pos = h.Last
	}
}

// event takes an event, read or live.
func (w *witness) event(e protocol.Position, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.again && (w.mu.pos.Covers(e) || e.Epoch != w.mu.pos.Epoch && w.mu.left[e.Epoch]) {
		w.saw("double on its way")
		return
	}
	if next := w.mu.next; e != next && (next.Epoch != "" || e.Offset != 1) {
		w.wrongf("%s was given %d at %q instead of the event at %q", w.name, n, e, next)
	}
	if _, double := w.mu.seen[e]; double {
		w.wrongf("%s was given %d at %q for the second time", w.name, n, e)
	}
	w.mu.seen[e], w.mu.pos = n, e
	w.mu.next = protocol.Position{Epoch: e.Epoch, Offset: e.Offset + 1}
}

// judge compares what w has seen with what was recorded, in that order. failed are
// the numbers of records that were not acknowledged.
func (w *witness) judge(acks []ack, failed map[int]error, keeps layers.Retention) {
	w.mu.Lock()
	defer w.mu.Unlock()
	byPosition := make(map[protocol.Position]ack, len(acks))
	for _, a := range acks {
		byPosition[a.at] = a
	}
	for at, n := range w.mu.seen {
		if a, ok := byPosition[at]; !ok || a.n != n {
			w.wrongf("%s was given %d at %q, where %+v was recorded; recording it has failed: %v", w.name, n, at, a, failed[n])
		}
	}
	for i := range w.mu.claims {
		if c := &w.mu.claims[i]; !c.after.IsZero() && byPosition[c.after].stops == c.stops && !trimmed(c, acks, keeps) {
			w.wrongf("%s was told at %v that something behind %q is missing, and nothing was", w.name, c.at.Sub(w.began), c.after)
		}
	}
	stops := make(map[string]int) // before each epoch
	for _, a := range acks {
		stops[a.at.Epoch] = a.stops
	}
	for _, a := range acks {
		if _, seen := w.mu.seen[a.at]; !seen && !w.knows(a, stops) {
			w.wrongf("%s has missed %d at %q, recorded at %v", w.name, a.n, a.at, a.ended.Sub(w.began))
		}
	}
}

// knows reports whether w was told that it has missed a.
func (w *witness) knows(a ack, stops map[string]int) bool {
	for _, c := range w.mu.claims {
		before, known := stops[c.lost.Epoch]
		if !known {
			before = c.stops
		}
		if c.lost.Covers(a.at) || a.at.Epoch != c.lost.Epoch && a.stops < before {
			return true
		}
	}
	return false
}

// trimmed reports whether an event behind c.after was too old, or one too many.
func trimmed(c *claim, acks []ack, keeps layers.Retention) bool {
	for _, a := range acks {
		if a.at.Epoch != c.after.Epoch || a.at.Offset <= c.after.Offset {
			continue
		}
		missing := a.at.Offset - c.after.Offset
		if missing > uint64(keeps.MaxEvents) && !a.ended.After(c.at) || missing == 1 && c.at.Sub(a.began) >= keeps.MaxAge {
			return true
		}
	}
	return false
}
