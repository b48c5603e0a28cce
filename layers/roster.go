package layers

import (
	"slices"
	"sync/atomic"
)

// chunkSize is how many members are copied when one leaves a group that somebody
// walks.
const chunkSize = 256

// searchBelow is the size up to which a member is searched for, without an index:
// nearly all groups are small, and there may be many.
const searchBelow = 16

// roster is a set of members that can be walked without a lock: a walker is given
// the members as they are, and a change that would disturb it works on copies of
// what it touches. Joining never copies (a walker does not look beyond its end),
// leaving copies two chunks at most, once after each walk. Its methods are called
// with the shard's lock held, which for view may be shared.
type roster struct {
	view // what walkers are given

	index  map[Member]int // nil as long as searching is as good
	walked atomic.Bool    // somebody has been given the view since epoch began
	epoch  uint64         // counts walks, as far as changes have to know of them
	copied []uint64       // epoch in which each chunk of full was last copied
	list   uint64         // epoch in which full itself was
	newest uint64         // epoch in which last was
	joined *round         // the subscription of the group; nil without a driver

	late    map[Member]*late    // members that others stand for; nil if there are none
	joining map[Member]*joining // members whose Join waits; nil if there are none
}

// view is a list of members in chunks.
type view struct {
	full [][]Member // chunkSize each
	last []Member
}

func (v *view) len() int { return len(v.full)*chunkSize + len(v.last) }

// chunks yields the members in pieces. What walks a group has the inner loop itself: a
// call for each member costs more than most members do.
func (v *view) chunks(yield func([]Member) bool) {
	for _, chunk := range v.full {
		if !yield(chunk) {
			return
		}
	}
	if len(v.last) > 0 {
		yield(v.last)
	}
}

// walk returns the members for a walk, in no particular order.
func (g *roster) walk() view {
	if !g.walked.Load() { // a shared cache line is better read than written
		g.walked.Store(true)
	}
	return g.view
}

func (g *roster) has(m Member) bool { return g.find(m) >= 0 }

// find is the place of m, or -1.
func (g *roster) find(m Member) int {
	if g.index != nil {
		if at, in := g.index[m]; in {
			return at
		}
		return -1
	}
	return slices.Index(g.last, m)
}

// add reports whether m is new.
func (g *roster) add(m Member) bool {
	if g.has(m) {
		return false
	}
	if len(g.last) == chunkSize {
		g.full, g.copied = append(g.full, g.last), append(g.copied, g.newest)
		g.last, g.newest = make([]Member, 0, chunkSize), g.epoch
	}
	g.last = append(g.last, m)
	switch n := g.len(); {
	case g.index != nil:
		g.index[m] = n - 1
	case n > searchBelow:
		g.index = make(map[Member]int, 2*n)
		for i, m := range g.last {
			g.index[m] = i
		}
	}
	return true
}

// remove puts the last member in m's place. It reports whether m was there.
func (g *roster) remove(m Member) bool {
	at := g.find(m)
	if at < 0 {
		return false
	}
	if g.walked.Swap(false) {
		g.epoch++
	}
	if len(g.last) == 0 {
		g.reopen()
	}
	if g.newest < g.epoch {
		g.last, g.newest = append(make([]Member, 0, cap(g.last)), g.last...), g.epoch
	}
	end := len(g.last) - 1
	if moved := g.last[end]; moved != m {
		g.put(at, moved)
		if g.index != nil {
			g.index[moved] = at
		}
	}
	g.last[end] = nil
	g.last = g.last[:end]
	delete(g.index, m)
	return true
}

// replace puts m, which is not there, in the place of old, which is.
func (g *roster) replace(old, m Member) {
	at := g.find(old)
	if g.walked.Swap(false) {
		g.epoch++
	}
	if at >= len(g.full)*chunkSize && g.newest < g.epoch {
		g.last, g.newest = append(make([]Member, 0, cap(g.last)), g.last...), g.epoch
	}
	g.put(at, m)
	if g.index != nil {
		delete(g.index, old)
		g.index[m] = at
	}
}

// reopen makes the last full chunk the one that is added to.
func (g *roster) reopen() {
	g.own()
	end := len(g.full) - 1
	g.last, g.newest = g.full[end], g.copied[end]
	g.full[end] = nil
	g.full, g.copied = g.full[:end], g.copied[:end]
}

// put writes m to the place at.
func (g *roster) put(at int, m Member) {
	i := at / chunkSize
	if i == len(g.full) {
		g.last[at%chunkSize] = m
		return
	}
	if g.copied[i] < g.epoch {
		g.own()
		g.full[i], g.copied[i] = slices.Clone(g.full[i]), g.epoch
	}
	g.full[i][at%chunkSize] = m
}

// own makes full a list that no walker has.
func (g *roster) own() {
	if g.list < g.epoch {
		g.full, g.list = slices.Clone(g.full), g.epoch
	}
}
