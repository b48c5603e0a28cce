package redis

import (
	"context"
	"maps"
	"slices"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
	"github.com/wye-go/wye/protocol"
)

// stream is the recorded events of a group as this node delivers them: in the order of their
// offsets. The goroutine of its inbox owns it. It exists after the first event, or the first
// read, until the node unsubscribes from the group.
type stream struct {
	last    protocol.Position // of the event that was delivered last, or read
	read    bool              // last was read by a call of Read: events before it may still arrive
	reading bool              // the history is being read, because events are missing
	waiting []*protocol.Event // that have arrived meanwhile
	before  int               // how many of them had arrived before
	again   bool              // more have arrived than may wait
}

// maxFillWaiting is how many events of a group wait while missing ones are read. Those that arrive
// then are read as well.
const maxFillWaiting = 256

// maxFills is how many groups are read at the same time because events are missing.
const maxFills = 64

// follows reports whether no event is missing between st.last and p.
func (st *stream) follows(p protocol.Position) bool {
	return p.Epoch == st.last.Epoch && p.Offset == st.last.Offset+1 || p.Epoch != st.last.Epoch && p.Offset == 1
}

// deliverRecorded delivers e when all events before it have been delivered.
func (in *inbox) deliverRecorded(group string, e *protocol.Event) {
	p, st := e.Position(), in.streams[group]
	switch {
	case st == nil:
		in.driver.noteFirst(group)
		in.streams[group] = &stream{last: p}
		in.driver.receiver.Group(group, e)
	case st.reading && len(st.waiting) == maxFillWaiting:
		st.again = true
	case st.reading:
		st.waiting = append(st.waiting, e)
	case st.follows(p):
		in.deliverNext(group, st, e)
	case st.read && st.last.Covers(p):
		st.read = p != st.last
		in.driver.receiver.Group(group, e)
	case st.last.Covers(p): // it has been delivered before
	default:
		st.waiting = append(st.waiting, e)
		in.fill(group, st)
	}
}

func (in *inbox) deliverNext(group string, st *stream, e *protocol.Event) {
	st.last, st.read = e.Position(), false
	in.driver.receiver.Group(group, e)
}

// noteRead notes where a history ends that was read for a member of this node, before any event
// has arrived: what is recorded later must arrive, also after an outage.
func (d *Driver) noteRead(group string, last protocol.Position) {
	s, name := d.serverOf(group), d.transport.groupName(group)
	if !s.wants(name) {
		return
	}
	in := d.inboxOf(group)
	in.call(func() {
		if in.streams[group] == nil && s.wants(name) { // otherwise forgetStreams has been called
			in.streams[group] = &stream{last: last, read: true}
		}
	})
}

// fill has the events behind the last one read, without holding up other groups.
func (in *inbox) fill(group string, st *stream) {
	d := in.driver
	st.reading, st.before = true, len(st.waiting)
	after := st.last
	d.running.Go(func() {
		if d.startFill() {
			in.readMissing(group, st, after)
		}
	})
}

// startFill waits until a history may be read. It returns false if the driver is closed before.
func (d *Driver) startFill() bool {
	select {
	case d.fills <- struct{}{}:
		return true
	case <-d.ctx.Done():
		return false
	}
}

// readMissing reads the events behind a position, after startFill has returned true.
func (in *inbox) readMissing(group string, st *stream, after protocol.Position) {
	d := in.driver
	defer func() { <-d.fills }()
	ctx, cancel := context.WithTimeout(d.ctx, driver.CallTimeout)
	defer cancel()
	h, err := d.read(ctx, group, driver.Range{After: after})
	in.call(func() {
		if in.streams[group] == st {
			in.filled(group, st, &h, err)
		}
	})
}

// filled delivers what has been read, and then what has arrived meanwhile. It reports a gap if
// events are missing for good.
func (in *inbox) filled(group string, st *stream, h *driver.History, err error) {
	waiting, before, again := st.waiting, st.before, st.again
	st.reading, st.waiting, st.again = false, nil, false
	if err != nil || !h.Complete {
		in.driver.receiver.Gap(group)
	}
	for _, e := range h.Events {
		in.deliverNext(group, st, e)
	}
	if !h.Last.IsZero() {
		st.last, st.read = h.Last, false
	}
	known := err == nil && !h.Last.IsZero()
	for i, e := range waiting {
		p := e.Position()
		switch {
		case st.last.Covers(p): // it has been read
		case known && i < before && p.Epoch != h.Last.Epoch: // of a history that has been lost since
		case st.follows(p) || !known:
			in.deliverNext(group, st, e)
		default:
			st.waiting = waiting[i:]
			in.fill(group, st)
			return
		}
	}
	if again {
		in.fill(group, st)
	}
}

// call has the inbox's goroutine call f, behind all that has arrived.
func (in *inbox) call(f func()) {
	select {
	case in.packets <- packet{control: f}:
	case <-in.driver.ctx.Done():
	}
}

// forgetStreams forgets where the streams of groups are, which the node no longer receives, and who
// is present there.
func (d *Driver) forgetStreams(groups []string) {
	byInbox := make(map[*inbox][]string)
	for _, group := range groups {
		d.asked.Delete(group) // now, so that members that join from now on have a roster of their own
		in := d.inboxOf(group)
		byInbox[in] = append(byInbox[in], group)
	}
	for in, some := range byInbox {
		in.call(func() {
			for _, group := range some {
				delete(in.streams, group)
				in.forgetRoster(group)
			}
		})
	}
}

// refill starts to read what was recorded while s was down, in all groups of s that have had
// recorded events.
func (d *Driver) refill(s *server) {
	d.running.Go(func() {
		for _, in := range d.inboxes {
			var groups []string
			done := make(chan struct{})
			in.call(func() {
				groups = slices.Collect(maps.Keys(in.streams))
				close(done)
			})
			select {
			case <-done:
			case <-d.ctx.Done():
				return
			}
			for _, group := range groups {
				if d.serverOf(group) != s {
					continue
				}
				if !d.startFill() {
					return
				}
				in.call(func() { in.refill(group) })
			}
		}
	})
}

// refill reads the events of one group, after startFill has returned true.
func (in *inbox) refill(group string) {
	st := in.streams[group]
	if st == nil || st.reading {
		<-in.driver.fills
		return
	}
	st.reading, st.before = true, 0
	after := st.last
	in.driver.running.Go(func() { in.readMissing(group, st, after) })
}

// serverOf returns the server of a group.
func (d *Driver) serverOf(group string) *server {
	if len(d.servers) == 1 {
		return d.servers[0]
	}
	return d.servers[wire.Shard(d.transport.groupShard(group), len(d.servers))]
}
