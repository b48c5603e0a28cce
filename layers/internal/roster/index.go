package roster

// index finds the positions of members by their hashes, in about 7 bytes for each. (A map
// takes 40: it would have the members a second time.) It is an extendible hash table: it
// grows page by page, so that no Add takes long while a large group is locked.
//
// The index has no members. Its methods are given the hash of a member, and functions by
// which they find it at a position, or its hash. The zero value is empty.
type index struct {
	pages []*page // by the first bits of a hash; some may be the same
	depth int     // how many bits these are
	used  int     // how many positions there are
}

// page is a hash table with linear probing.
type page struct {
	slots []slot
	used  int
	depth int // how many first bits the hashes in it have in common
}

// slot has a position, plus 1, and some bits of the hash, so that few other members are
// looked at. 0 is free.
type slot uint32

const (
	slotBits  = 6    // of a slot that are of the hash: 67 million members are possible
	pageSlots = 1024 // of a page before it is split
	minSlots  = 32
	perEntry  = 64 // positions for each entry of pages: with hashes that are alike, pages grow instead
)

// hashAt returns the hash of the member at a position.
type hashAt func(at int) uint64

func slotOf(h uint64, at int) slot {
	return slot(at+1)<<slotBits | slot(h>>20&(1<<slotBits-1)) //nolint:gosec // see slotBits
}

// position returns the position in s, which is not free.
func (s slot) position() int { return int(s>>slotBits) - 1 }

// isLike reports whether s may be that of a member with the hash h.
func (s slot) isLike(h uint64) bool { return s&(1<<slotBits-1) == slotOf(h, -1) }

// entry returns the entry of pages for h.
func (x *index) entry(h uint64) int { return int(h >> 1 >> (63 - x.depth)) } //nolint:gosec // there are fewer entries than members

// page returns the page for h.
func (x *index) page(h uint64) *page { return x.pages[x.entry(h)] }

// find returns the position of the member with the hash h for which is returns true, or -1.
func (x *index) find(h uint64, is func(at int) bool) int {
	if x.pages == nil {
		return -1
	}
	p := x.page(h)
	for i := p.home(h); p.slots[i] != 0; i = p.after(i) {
		if s := p.slots[i]; s.isLike(h) && is(s.position()) {
			return s.position()
		}
	}
	return -1
}

// add adds the member at a position, with the hash h.
func (x *index) add(h uint64, at int, hash hashAt) {
	if x.pages == nil {
		x.pages = []*page{{slots: make([]slot, minSlots)}}
	}
	p := x.page(h)
	for p.isFull() {
		if len(p.slots) < pageSlots || perEntry<<p.depth > x.used {
			p.resize(2*len(p.slots), hash)
		} else {
			x.split(p, h, hash)
		}
		p = x.page(h)
	}
	p.add(slotOf(h, at), h)
	x.used++
}

// move changes the position of the member with the hash h.
func (x *index) move(h uint64, from, to int) {
	p := x.page(h)
	p.slots[p.find(slotOf(h, from), h)] = slotOf(h, to)
}

// remove removes the member at a position, which has the hash h.
func (x *index) remove(h uint64, at int, hash hashAt) {
	p := x.page(h)
	p.remove(p.find(slotOf(h, at), h), hash)
	x.used--
	if len(p.slots) > minSlots && p.used < len(p.slots)/8 {
		p.resize(len(p.slots)/2, hash)
	}
}

// split divides p, the page for h, in two.
func (x *index) split(p *page, h uint64, hash hashAt) {
	if p.depth == x.depth {
		pages := make([]*page, 2*len(x.pages))
		for i, p := range x.pages {
			pages[2*i], pages[2*i+1] = p, p
		}
		x.pages, x.depth = pages, x.depth+1
	}
	shift := 63 - p.depth // of the bit that tells in which half a hash is
	p.depth++
	halves := [2]*page{}
	for i := range halves {
		halves[i] = &page{slots: make([]slot, len(p.slots)), depth: p.depth}
	}
	for _, s := range p.slots {
		if s != 0 {
			h := hash(s.position())
			halves[h>>shift&1].add(s, h)
		}
	}
	same := 1 << (x.depth - p.depth) // entries of pages for each half
	first := x.entry(h) &^ (2*same - 1)
	for i := range same {
		x.pages[first+i], x.pages[first+same+i] = halves[0], halves[1]
	}
}

// isFull reports whether another member would make the page slow.
func (p *page) isFull() bool { return (p.used+1)*8 > len(p.slots)*7 }

// home returns the index of the slot that a member with the hash h has, or before it.
func (p *page) home(h uint64) int { return int(h & uint64(len(p.slots)-1)) } //nolint:gosec // less than len

func (p *page) after(i int) int { return (i + 1) & (len(p.slots) - 1) }

func (p *page) add(s slot, h uint64) {
	i := p.home(h)
	for p.slots[i] != 0 {
		i = p.after(i)
	}
	p.slots[i] = s
	p.used++
}

// find returns the index of s, which is in the page.
func (p *page) find(s slot, h uint64) int {
	i := p.home(h)
	for p.slots[i] != s {
		i = p.after(i)
	}
	return i
}

// remove makes the slot i free. Members behind it that had to give way to it move up.
func (p *page) remove(i int, hash hashAt) {
	p.used--
	for next := p.after(i); p.slots[next] != 0; next = p.after(next) {
		home := p.home(hash(p.slots[next].position()))
		if (next-home)&(len(p.slots)-1) >= (next-i)&(len(p.slots)-1) {
			p.slots[i] = p.slots[next]
			i = next
		}
	}
	p.slots[i] = 0
}

// resize gives the page n slots.
func (p *page) resize(n int, hash hashAt) {
	old := p.slots
	p.slots, p.used = make([]slot, n), 0
	for _, s := range old {
		if s != 0 {
			p.add(s, hash(s.position()))
		}
	}
}
