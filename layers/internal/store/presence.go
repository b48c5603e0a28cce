package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Entry is one presence. It has the fields of a layers.Presence.
type Entry struct {
	ID    string
	Key   string
	Meta  json.RawMessage
	Since time.Time
}

// Change is what others are to be told: that a key has come, with the entry that
// was its first; that it has gone, with the one that was its last; or that one of its
// entries has other metadata.
type Change struct {
	Entry

	Gone  bool
	Other bool // metadata, and nobody has come or gone
}

// Crowd is who is present in one group. The zero value is nobody. It is not safe
// for concurrent use.
type Crowd struct {
	entries   map[string]seat      // by ID
	ids       map[string][]string  // by key, in no order
	lingering map[string]time.Time // by ID: until when, of entries that have been left
	left      map[string]int       // by key: how many of its entries linger
	entered   int                  // how many entries there have been
}

// seat is an entry, and where it is, so that a key may have many.
type seat struct {
	Entry

	at  int // in Crowd.ids of its key
	seq int // of entering
}

// Enter adds p, or replaces the entry that has its ID; it is there since as long
// then, if it is of the same key. It also replaces entries of its key that linger. There
// are two changes at most: an ID may be replaced that was the last of another key.
// Metadata are compared byte by byte.
func (c *Crowd) Enter(p Entry) []Change {
	c.stay(p.ID)
	old, again := c.entries[p.ID]
	if again && old.Key == p.Key {
		p.Since = old.Since
		c.entries[p.ID] = seat{p, old.at, old.seq}
		return changed(old.Entry, p)
	}
	changes := c.Exit(p.ID)
	if c.entries == nil {
		c.entries, c.ids = make(map[string]seat), make(map[string][]string)
	}
	before := len(c.ids[p.Key])
	replaced, lingered := c.replaceLingering(p.Key)
	c.entered++
	c.entries[p.ID] = seat{p, len(c.ids[p.Key]), c.entered}
	c.ids[p.Key] = append(c.ids[p.Key], p.ID)
	switch {
	case before == 0:
		changes = append(changes, Change{Entry: p})
	case lingered:
		changes = append(changes, changed(replaced, p)...)
	}
	return changes
}

// changed is what others are told when p is there in place of old.
func changed(old, p Entry) []Change {
	if bytes.Equal(old.Meta, p.Meta) {
		return nil
	}
	return []Change{{Entry: p, Other: true}}
}

// replaceLingering takes out the entries of key that linger, and returns the one of
// them that entered last.
func (c *Crowd) replaceLingering(key string) (last Entry, ok bool) {
	if c.left[key] == 0 {
		return Entry{}, false
	}
	seq := 0
	for _, id := range slices.Clone(c.ids[key]) {
		if _, lingers := c.lingering[id]; lingers {
			p := c.entries[id]
			if p.seq > seq {
				last, seq = p.Entry, p.seq
			}
			c.remove(p)
		}
	}
	return last, true
}

// Exit takes the entry of an ID out. It need not be there. There is one change at
// most.
func (c *Crowd) Exit(id string) []Change {
	p, there := c.entries[id]
	if !there {
		return nil
	}
	c.remove(p)
	if len(c.ids[p.Key]) > 0 {
		return nil
	}
	return []Change{{Entry: p.Entry, Gone: true}}
}

// remove takes out p, which is there. The last ID of its key takes its place.
func (c *Crowd) remove(p seat) {
	c.stay(p.ID)
	delete(c.entries, p.ID)
	ids := c.ids[p.Key]
	end := len(ids) - 1
	if p.at != end {
		moved := c.entries[ids[end]]
		moved.at = p.at
		c.entries[moved.ID], ids[p.at] = moved, moved.ID
	}
	ids[end] = ""
	if end == 0 {
		delete(c.ids, p.Key)
	} else {
		c.ids[p.Key] = ids[:end]
	}
}

// stay has the entry of an ID linger no more. It need not be there, or linger.
func (c *Crowd) stay(id string) {
	if _, lingers := c.lingering[id]; !lingers {
		return
	}
	delete(c.lingering, id)
	key := c.entries[id].Key
	c.left[key]--
	if c.left[key] == 0 {
		delete(c.left, key)
	}
}

// Linger has the entry of an ID stay until a time, when Expire takes it out, or until
// another one of its key enters. It reports whether the entry is there.
func (c *Crowd) Linger(id string, until time.Time) bool {
	p, there := c.entries[id]
	if !there {
		return false
	}
	if c.lingering == nil {
		c.lingering, c.left = make(map[string]time.Time), make(map[string]int)
	}
	if !c.Lingers(id) {
		c.left[p.Key]++
	}
	c.lingering[id] = until
	return true
}

// Lingers reports whether the entry of an ID is there and lingers.
func (c *Crowd) Lingers(id string) bool {
	_, lingers := c.lingering[id]
	return lingers
}

// Expire is Exit for an entry that lingers and whose time is up. It need not be there,
// linger, or be due.
func (c *Crowd) Expire(id string, now time.Time) []Change {
	if until, lingers := c.lingering[id]; !lingers || now.Before(until) {
		return nil
	}
	return c.Exit(id)
}

// Present returns all entries, or those of one key if key is not empty, ordered by
// Since and then by ID.
func (c *Crowd) Present(key string) []Entry {
	all := make([]Entry, 0, len(c.ids[key]))
	if key == "" {
		all = slices.Grow(all, len(c.entries))
		for _, p := range c.entries {
			all = append(all, p.Entry)
		}
	}
	for _, id := range c.ids[key] {
		all = append(all, c.entries[id].Entry)
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Has reports whether the entry of an ID is there.
func (c *Crowd) Has(id string) bool {
	_, has := c.entries[id]
	return has
}

// Len is how many entries there are.
func (c *Crowd) Len() int { return len(c.entries) }

// Keys is how many keys they have.
func (c *Crowd) Keys() int { return len(c.ids) }
