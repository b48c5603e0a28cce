package redis

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// roster is which keys of a group are present as this node has told its members. A node has one
// of each group that it has subscribed to and that it was asked for by Present. After an outage,
// the node tells what has changed since, and does not tell again what it has told. The
// goroutine of the inbox owns it.
type roster struct {
	told    map[string]driver.Presence // by key, one of its presences; nil until the first read has ended
	reading bool
	log     []*protocol.Event // what has arrived during the read
	// The server was down after the members have asked. Before that, all that arrives is
	// delivered, also what was published before the first read.
	wasDown bool
	// While the difference after an outage has not been told: the keys that a member knows not to
	// be present, because Present has not returned them, and that others know to be.
	unsettled bool
	missed    map[string]struct{}
}

// maxRosterLog is how many events of a group may arrive during a read.
const maxRosterLog = 10_000

// deliverPresence delivers an event about a presence, unless the members know it.
func (in *inbox) deliverPresence(group string, e *protocol.Event) {
	r := in.rosters[group]
	switch {
	case r == nil:
		in.driver.receiver.Group(group, e)
	case !r.reading:
		in.tell(group, r, e)
	default:
		r.log = append(r.log, e)
		if r.told == nil {
			in.driver.receiver.Group(group, e)
		}
		if len(r.log) > maxRosterLog {
			in.giveUp(group, r)
		}
	}
}

// tell delivers e if it changes what the members know.
func (in *inbox) tell(group string, r *roster, e *protocol.Event) {
	v, err := driver.Entered.Payload(e) // all have the same
	if err != nil {
		in.driver.receiver.Group(group, e)
		return
	}
	p := v.Presence
	old, known := r.told[p.Key]
	if _, missed := r.missed[p.Key]; missed {
		delete(r.missed, p.Key)
		known = known && e.Type() != driver.Entered.Name
	}
	r.note(e.Type(), p)
	switch {
	case r.wasDown && e.Type() == driver.Exited.Name && !known:
	case r.wasDown && e.Type() == driver.Entered.Name && known:
		if !bytes.Equal(old.Meta, p.Meta) {
			in.deliverChange(group, driver.Changed, p)
		}
	default:
		in.driver.receiver.Group(group, e)
	}
}

// note notes an event of which the members know.
func (r *roster) note(typ string, p driver.Presence) {
	if typ == driver.Exited.Name {
		delete(r.told, p.Key)
	} else {
		r.told[p.Key] = p
	}
}

// deliverChange delivers an event that this node has made.
func (in *inbox) deliverChange(group string, typ protocol.EventType[driver.PresenceEvent], p driver.Presence) {
	e := typ.New(driver.PresenceEvent{Group: group, Presence: p})
	if _, err := driver.Payload(e); err == nil { // it was encoded before
		in.driver.receiver.Group(group, e)
	}
}

// giveUp delivers what waits and forgets r.
func (in *inbox) giveUp(group string, r *roster) {
	if r.told != nil {
		for _, e := range r.log {
			in.driver.receiver.Group(group, e)
		}
	}
	in.forgetRoster(group)
	in.driver.receiver.Gap(group)
}

func (in *inbox) forgetRoster(group string) {
	delete(in.rosters, group)
	in.driver.asked.Delete(group)
}

// startRoster returns what takes the result of a read of group if this is the first one since the
// node has subscribed to group, and otherwise a function that does nothing.
func (d *Driver) startRoster(ctx context.Context, s *server, group string) (end func([]driver.Presence, error)) {
	nothing := func([]driver.Presence, error) {}
	if _, again := d.asked.Load(group); !again && !s.wants(d.transport.groupName(group)) {
		return nothing
	}
	in, r := d.inboxOf(group), &roster{reading: true}
	if _, again := d.asked.LoadOrStore(group, struct{}{}); again {
		return func(all []driver.Presence, err error) {
			if err == nil {
				in.call(func() { in.rosters[group].noteMissed(all) })
			}
		}
	}
	started := make(chan struct{})
	in.call(func() {
		d.asked.Delete(group)                      // the group may have been dropped, and subscribed to again, since
		if s.wants(d.transport.groupName(group)) { // otherwise forgetStreams has been called
			in.rosters[group] = r
			d.asked.Store(group, struct{}{})
		}
		close(started)
	})
	select {
	case <-started:
	case <-ctx.Done():
	case <-d.ctx.Done():
	}
	return func(all []driver.Presence, err error) {
		in.call(func() {
			switch {
			case in.rosters[group] != r:
			case err != nil:
				in.forgetRoster(group)
			default:
				in.startTelling(r, all)
			}
		})
	}
}

// noteMissed notes which of the keys that members know a later read has not returned. After an
// outage, nodes may not have entered them again yet. r may be nil.
func (r *roster) noteMissed(all []driver.Presence) {
	if r == nil || !r.unsettled {
		return
	}
	read := byKey(all)
	for key := range r.told {
		if _, there := read[key]; there {
			continue
		}
		if r.missed == nil {
			r.missed = make(map[string]struct{})
		}
		r.missed[key] = struct{}{}
	}
}

// startTelling notes what was read for the first time, and what has been delivered meanwhile.
func (in *inbox) startTelling(r *roster, all []driver.Presence) {
	r.told = byKey(all)
	for _, e := range r.log {
		if v, err := driver.Entered.Payload(e); err == nil {
			r.note(e.Type(), v.Presence)
		}
	}
	r.reading, r.log = false, nil
}

// byKey returns the newest presence of each key.
func byKey(all []driver.Presence) map[string]driver.Presence {
	keys := make(map[string]driver.Presence, len(all))
	for _, p := range all { // ordered by Since
		keys[p.Key] = p
	}
	return keys
}

// wants reports whether this node has subscribed to a group.
func (s *server) wants(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.mu.wanted[name]
	return ok
}

// stopTellingAgain has members not be told from now on what they know. It is called when the
// server is down: what has arrived before is in the inboxes.
func (s *server) stopTellingAgain() {
	for _, in := range s.driver.inboxes {
		in.call(func() {
			for group, r := range in.rosters {
				if s.driver.serverOf(group) == s {
					r.wasDown, r.unsettled = true, true
				}
			}
		})
	}
}

// tellChanges tells members what has changed while s was down, in all groups that they have asked
// for.
func (s *server) tellChanges(ctx context.Context) error {
	d := s.driver
	var failed error
	d.asked.Range(func(group, _ any) bool {
		name := group.(string) //nolint:errcheck,forcetypeassert // it has no others
		if d.serverOf(name) == s {
			failed = s.tellChangesOf(ctx, name)
		}
		return failed == nil
	})
	return failed
}

func (s *server) tellChangesOf(ctx context.Context, group string) error {
	in := s.driver.inboxOf(group)
	started := make(chan *roster, 1)
	in.call(func() {
		r := in.rosters[group]
		if r == nil || r.reading {
			started <- nil
			return
		}
		r.reading = true
		started <- r
	})
	var r *roster
	select {
	case r = <-started:
	case <-s.driver.ctx.Done():
	}
	if r == nil {
		return nil
	}
	all, err := s.present(ctx, group, "")
	in.call(func() {
		if in.rosters[group] == r {
			in.tellDifference(group, r, all, err)
		}
	})
	return err
}

// tellDifference tells how what was read differs from what the members know, and then what has
// arrived meanwhile.
func (in *inbox) tellDifference(group string, r *roster, all []driver.Presence, err error) {
	if err == nil {
		now, before := byKey(all), r.told
		metas := make(map[[2]string]struct{}, len(all))
		for _, p := range all {
			metas[[2]string{p.Key, string(p.Meta)}] = struct{}{}
		}
		r.told = now
		for _, key := range slices.Sorted(maps.Keys(before)) {
			if _, there := now[key]; !there {
				in.deliverChange(group, driver.Exited, before[key])
			}
		}
		for _, key := range slices.Sorted(maps.Keys(now)) {
			old, known := before[key]
			if _, missed := r.missed[key]; missed || !known {
				in.deliverChange(group, driver.Entered, now[key])
			} else if _, same := metas[[2]string{key, string(old.Meta)}]; !same {
				in.deliverChange(group, driver.Changed, now[key])
			}
		}
		r.unsettled, r.missed = false, nil
	}
	log := r.log
	r.reading, r.log = false, nil
	for _, e := range log {
		in.tell(group, r, e)
	}
}
