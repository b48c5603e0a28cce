package store

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// Change is what the nodes that have subscribed to a group are sent: Type is Entered,
// Changed or Exited.
type Change struct {
	Type     protocol.EventType[driver.PresenceEvent]
	Presence driver.Presence
}

// Event returns the event of the change.
func (c Change) Event(group string) *protocol.Event {
	return c.Type.New(driver.PresenceEvent{Group: group, Presence: c.Presence})
}

// Presences are those of one group. Each belongs to the owner that has entered it last,
// such as a node. The zero value owns nothing. It is not safe for concurrent use.
type Presences[O comparable] struct {
	byID      map[string]present[O]
	ids       map[string][]string  // by key, in no order
	lingering map[string]time.Time // by ID: until when, of presences that have exited
	lingers   map[string]int       // by key: how many of its presences linger
	entered   int                  // how many there have been
}

// present is a presence, and its index among those of its key, so that a key may have
// many.
type present[O comparable] struct {
	driver.Presence

	owner O
	index int // in Presences.ids of its key
	seq   int // of entering
}

// Enter adds p, or replaces the presence that has its ID; if that is of the same key, its
// Since stays. It also replaces presences of its key that linger. There are two changes at
// most: an ID may be replaced that was the last of another key. Metadata is compared byte
// by byte.
func (c *Presences[O]) Enter(p driver.Presence, owner O) []Change {
	c.stopLinger(p.ID)
	old, again := c.byID[p.ID]
	if again && old.Key == p.Key {
		p.Since = old.Since
		c.byID[p.ID] = present[O]{p, owner, old.index, old.seq}
		return changed(old.Presence, p)
	}
	changes := c.remove(p.ID)
	if c.byID == nil {
		c.byID, c.ids = make(map[string]present[O]), make(map[string][]string)
	}
	before := len(c.ids[p.Key])
	replaced, lingered := c.replaceLingering(p.Key)
	c.entered++
	c.byID[p.ID] = present[O]{p, owner, len(c.ids[p.Key]), c.entered}
	c.ids[p.Key] = append(c.ids[p.Key], p.ID)
	switch {
	case before == 0:
		changes = append(changes, Change{driver.Entered, p})
	case lingered:
		changes = append(changes, changed(replaced, p)...)
	}
	return changes
}

// changed is the change when p replaces old, which has the same key.
func changed(old, p driver.Presence) []Change {
	if bytes.Equal(old.Meta, p.Meta) {
		return nil
	}
	return []Change{{driver.Changed, p}}
}

// replaceLingering removes the presences of key that linger, and returns the one of them
// that entered last.
func (c *Presences[O]) replaceLingering(key string) (last driver.Presence, ok bool) {
	if c.lingers[key] == 0 {
		return driver.Presence{}, false
	}
	seq := 0
	for _, id := range slices.Clone(c.ids[key]) {
		if !c.Lingers(id) {
			continue
		}
		p := c.byID[id]
		if p.seq > seq {
			last, seq = p.Presence, p.seq
		}
		c.unlink(p)
	}
	return last, true
}

// Exit removes the presence of an ID, if it is there and belongs to owner. There is one
// change at most.
func (c *Presences[O]) Exit(id string, owner O) []Change {
	if p, there := c.byID[id]; there && p.owner == owner {
		return c.remove(id)
	}
	return nil
}

// remove removes the presence of an ID, if it is there.
func (c *Presences[O]) remove(id string) []Change {
	p, there := c.byID[id]
	if !there {
		return nil
	}
	c.unlink(p)
	if len(c.ids[p.Key]) > 0 {
		return nil
	}
	return []Change{{driver.Exited, p.Presence}}
}

// unlink removes p, which is there. The last ID of its key takes its index.
func (c *Presences[O]) unlink(p present[O]) {
	c.stopLinger(p.ID)
	delete(c.byID, p.ID)
	ids := c.ids[p.Key]
	end := len(ids) - 1
	if p.index != end {
		moved := c.byID[ids[end]]
		moved.index = p.index
		c.byID[moved.ID], ids[p.index] = moved, moved.ID
	}
	ids[end] = ""
	if end == 0 {
		delete(c.ids, p.Key)
	} else {
		c.ids[p.Key] = ids[:end]
	}
}

// stopLinger ends the linger of an ID, which need not be there or linger.
func (c *Presences[O]) stopLinger(id string) {
	if !c.Lingers(id) {
		return
	}
	delete(c.lingering, id)
	key := c.byID[id].Key
	c.lingers[key]--
	if c.lingers[key] == 0 {
		delete(c.lingers, key)
	}
}

// Linger has the presence of an ID stay until a time, when Expire removes it, or until
// another one of its key enters. It reports whether the presence is there and belongs to
// owner.
func (c *Presences[O]) Linger(id string, owner O, until time.Time) bool {
	p, there := c.byID[id]
	if !there || p.owner != owner {
		return false
	}
	if c.lingering == nil {
		c.lingering, c.lingers = make(map[string]time.Time), make(map[string]int)
	}
	if !c.Lingers(id) {
		c.lingers[p.Key]++
	}
	c.lingering[id] = until
	return true
}

// Lingers reports whether the presence of an ID is there and lingers.
func (c *Presences[O]) Lingers(id string) bool {
	_, lingers := c.lingering[id]
	return lingers
}

// Expire removes the presence of an ID if it lingers and its time has come.
func (c *Presences[O]) Expire(id string, now time.Time) []Change {
	if until, lingers := c.lingering[id]; !lingers || now.Before(until) {
		return nil
	}
	return c.remove(id)
}

// ExitAll removes all presences that belong to owner.
func (c *Presences[O]) ExitAll(owner O) (changes []Change) {
	for _, id := range c.OwnedBy(owner) {
		changes = append(changes, c.remove(id)...)
	}
	return changes
}

// OwnedBy returns the IDs that belong to owner, ordered.
func (c *Presences[O]) OwnedBy(owner O) (ids []string) {
	for id, p := range c.byID {
		if p.owner == owner {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Owner returns the owner of an ID. ok is false if it is not there.
func (c *Presences[O]) Owner(id string) (owner O, ok bool) {
	p, ok := c.byID[id]
	return p.owner, ok
}

// Owners returns all owners of a presence, in no order.
func (c *Presences[O]) Owners() []O {
	owners := make(map[O]struct{})
	for _, p := range c.byID {
		owners[p.owner] = struct{}{}
	}
	return slices.Collect(maps.Keys(owners))
}

// Present returns all presences, or those of one key if key is not empty, ordered by Since
// and then by ID.
func (c *Presences[O]) Present(key string) []driver.Presence {
	all := make([]driver.Presence, 0, len(c.ids[key]))
	if key == "" {
		all = slices.Grow(all, len(c.byID))
		for _, p := range c.byID {
			all = append(all, p.Presence)
		}
	}
	for _, id := range c.ids[key] {
		all = append(all, c.byID[id].Presence)
	}
	slices.SortFunc(all, func(a, b driver.Presence) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Count returns how many there are.
func (c *Presences[O]) Count() driver.PresenceCount {
	return driver.PresenceCount{Keys: len(c.ids), Presences: len(c.byID)}
}
