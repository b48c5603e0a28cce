package layers

import (
	"slices"
	"sync/atomic"
)

// roster is a set of members that can be walked without a lock: a walker is
// given the list as it is, and a change that would disturb it works on a copy.
// Joining never copies (a walker does not look beyond its end of the list),
// leaving copies once after each walk. Its methods are called with the layer's
// lock held.
type roster struct {
	list   []Member
	index  map[Member]int
	walked atomic.Bool // list has been given out since it was last copied
}

func newRoster() *roster { return &roster{index: make(map[Member]int, 1)} }

func (g *roster) empty() bool { return len(g.list) == 0 }

// members returns the list for a walk, in no particular order. A read lock is
// enough.
func (g *roster) members() []Member {
	g.walked.Store(true)
	return g.list
}

func (g *roster) add(m Member) {
	if _, in := g.index[m]; in {
		return
	}
	g.index[m] = len(g.list)
	g.list = append(g.list, m)
}

// remove puts the last member in m's place.
func (g *roster) remove(m Member) {
	at, in := g.index[m]
	if !in {
		return
	}
	if g.walked.CompareAndSwap(true, false) {
		g.list = slices.Clone(g.list)
	}
	last := len(g.list) - 1
	g.list[at] = g.list[last]
	g.index[g.list[at]] = at
	g.list[last] = nil
	g.list = g.list[:last]
	delete(g.index, m)
}
