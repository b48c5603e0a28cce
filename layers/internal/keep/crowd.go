package keep

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
	entries map[string]Entry // by ID
	keys    map[string]int   // how many entries each has
}

// Enter adds p, or replaces the entry that has its ID; it is there since as long
// then, if it is of the same key. There are two changes at most: an ID may be
// replaced that was the last of another key. Metadata are compared byte by byte.
func (c *Crowd) Enter(p Entry) []Change {
	old, again := c.entries[p.ID]
	if again && old.Key == p.Key {
		p.Since = old.Since
		c.entries[p.ID] = p
		if bytes.Equal(old.Meta, p.Meta) {
			return nil
		}
		return []Change{{Entry: p, Other: true}}
	}
	changes := c.Exit(p.ID)
	if c.entries == nil {
		c.entries, c.keys = make(map[string]Entry), make(map[string]int)
	}
	c.entries[p.ID] = p
	c.keys[p.Key]++
	if c.keys[p.Key] == 1 {
		changes = append(changes, Change{Entry: p})
	}
	return changes
}

// Exit takes the entry of an ID out. It need not be there. There is one change at
// most.
func (c *Crowd) Exit(id string) []Change {
	p, there := c.entries[id]
	if !there {
		return nil
	}
	delete(c.entries, id)
	c.keys[p.Key]--
	if c.keys[p.Key] > 0 {
		return nil
	}
	delete(c.keys, p.Key)
	return []Change{{Entry: p, Gone: true}}
}

// Present returns all entries, ordered by Since and then by ID.
func (c *Crowd) Present() []Entry {
	all := make([]Entry, 0, len(c.entries))
	for _, p := range c.entries {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Len is how many entries there are.
func (c *Crowd) Len() int { return len(c.entries) }
