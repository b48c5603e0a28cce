// Package roster has a set of the members of a group that can be walked without a lock.
package roster

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
)

const (
	// chunkSize is how many members are copied when one leaves a group that has been
	// walked. With the header that the runtime puts in front, a chunk of interfaces has
	// 4096 bytes, which is a size class.
	chunkSize = 255
	// searchBelow is the size up to which a member is searched for, without an index:
	// nearly all groups are small, and there may be many.
	searchBelow = 16
)

// Set is a set of members. A walk gets the members as they are, and a change that would
// disturb it works on copies of what it touches. Adding never copies (a walk does not look
// beyond its end), removing copies at most two chunks, once after each walk.
//
// The zero value is empty. Methods that change the set need a lock; Walk needs a lock that
// may be shared.
type Set[M comparable] struct {
	view   View[M]
	walked atomic.Bool // Walk has been called since the last change that had to know of it
	large  *large      // nil as long as searching is as good
}

// large is what a Set needs beside its members if they are many.
type large struct {
	index index
	epoch uint64 // counts walks, as far as changes have to know of them

	copied     []uint64 // the epoch in which each chunk of view.full was last copied
	listCopied uint64   // the epoch in which view.full itself was
	lastCopied uint64   // the epoch in which view.last was
}

// View is a list of members in chunks.
type View[M comparable] struct {
	full [][]M // chunkSize each
	last []M
}

// seed is that of the hashes of members, which are pointers: a peer cannot choose them.
var seed = maphash.MakeSeed() //nolint:gochecknoglobals // the zero value of a Set is ready for use

// Len returns how many members there are.
func (v *View[M]) Len() int { return len(v.full)*chunkSize + len(v.last) }

// Chunks yields the members in pieces. A walk has the inner loop itself: a call for each
// member costs more than most members do.
func (v *View[M]) Chunks(yield func([]M) bool) {
	for _, chunk := range v.full {
		if !yield(chunk) {
			return
		}
	}
	if len(v.last) > 0 {
		yield(v.last)
	}
}

// at returns the member at a position.
func (v *View[M]) at(i int) M {
	if i/chunkSize < len(v.full) {
		return v.full[i/chunkSize][i%chunkSize]
	}
	return v.last[i-len(v.full)*chunkSize]
}

// hash returns the hash of the member at a position.
func (v *View[M]) hash(i int) uint64 { return maphash.Comparable(seed, v.at(i)) }

// Walk returns the members, in no particular order, for a walk that needs no lock.
func (s *Set[M]) Walk() View[M] {
	if !s.walked.Load() { // a shared cache line is better read than written
		s.walked.Store(true)
	}
	return s.view
}

// Len returns how many members there are.
func (s *Set[M]) Len() int { return s.view.Len() }

// Has reports whether m is in the set.
func (s *Set[M]) Has(m M) bool { return s.find(m) >= 0 }

// find returns the position of m, or -1.
func (s *Set[M]) find(m M) int {
	if s.large == nil {
		return slices.Index(s.view.last, m)
	}
	return s.large.index.find(maphash.Comparable(seed, m), func(at int) bool { return s.view.at(at) == m })
}

// Add adds m. It reports false if m was there.
func (s *Set[M]) Add(m M) bool {
	if s.Has(m) {
		return false
	}
	v, l := &s.view, s.large
	if len(v.last) == chunkSize {
		v.full, l.copied = append(v.full, v.last), append(l.copied, l.lastCopied)
		v.last, l.lastCopied = make([]M, 0, chunkSize), l.epoch
	}
	if n := len(v.last); n == cap(v.last) && n > chunkSize/4 {
		v.last = append(make([]M, 0, chunkSize), v.last...)
	}
	v.last = append(v.last, m)
	switch n := s.Len(); {
	case l != nil:
		l.index.add(v.hash(n-1), n-1, v.hash)
	case n > searchBelow:
		s.large = new(large)
		for i := range n {
			s.large.index.add(v.hash(i), i, v.hash)
		}
	}
	return true
}

// Remove removes m. It reports false if m was not there. The last member takes its place.
func (s *Set[M]) Remove(m M) bool {
	at := s.find(m)
	if at < 0 {
		return false
	}
	s.startEpoch()
	if len(s.view.last) == 0 {
		s.reopenChunk()
	}
	s.ownLast()
	end := s.Len() - 1
	if s.large != nil {
		s.removeFromIndex(at, end)
	}
	last := s.view.last
	if at != end {
		s.set(at, last[len(last)-1])
	}
	last[len(last)-1] = *new(M)
	s.view.last = last[:len(last)-1]
	if s.large != nil && end < searchBelow/2 {
		s.large, s.view.last = nil, slices.Clone(s.view.last) // frees the memory of many
	}
	return true
}

// removeFromIndex removes the member at a position, which that at end takes.
func (s *Set[M]) removeFromIndex(at, end int) {
	x, v := &s.large.index, &s.view
	x.remove(v.hash(at), at, v.hash)
	if at != end {
		x.move(v.hash(end), end, at)
	}
}

// Replace puts m, which is not in the set, in the place of old, which is.
func (s *Set[M]) Replace(old, m M) {
	at := s.find(old)
	s.startEpoch()
	if at >= len(s.view.full)*chunkSize {
		s.ownLast()
	}
	if s.large != nil {
		s.large.index.remove(s.view.hash(at), at, s.view.hash)
	}
	s.set(at, m)
	if s.large != nil {
		s.large.index.add(s.view.hash(at), at, s.view.hash)
	}
}

// startEpoch starts a new epoch if there has been a walk. A small set has no epochs: it
// copies its members at once.
func (s *Set[M]) startEpoch() {
	if !s.walked.Swap(false) {
		return
	}
	if s.large == nil {
		s.copyLast()
		return
	}
	s.large.epoch++
}

// reopenChunk makes the last full chunk the one that is added to.
func (s *Set[M]) reopenChunk() {
	s.ownList()
	v, l, end := &s.view, s.large, len(s.view.full)-1
	v.last, l.lastCopied = v.full[end], l.copied[end]
	v.full[end] = nil
	v.full, l.copied = v.full[:end], l.copied[:end]
}

// set writes m to the position at. If that is in the last chunk, ownLast has been called.
func (s *Set[M]) set(at int, m M) {
	v, i := &s.view, at/chunkSize
	if i == len(v.full) {
		v.last[at%chunkSize] = m
		return
	}
	if l := s.large; l.copied[i] < l.epoch {
		s.ownList()
		v.full[i], l.copied[i] = slices.Clone(v.full[i]), l.epoch
	}
	v.full[i][at%chunkSize] = m
}

// ownList makes view.full a list that no walk has.
func (s *Set[M]) ownList() {
	if l := s.large; l.listCopied < l.epoch {
		s.view.full, l.listCopied = slices.Clone(s.view.full), l.epoch
	}
}

// ownLast makes view.last a chunk that no walk has.
func (s *Set[M]) ownLast() {
	if l := s.large; l != nil && l.lastCopied < l.epoch {
		s.copyLast()
		l.lastCopied = l.epoch
	}
}

func (s *Set[M]) copyLast() { s.view.last = append(make([]M, 0, cap(s.view.last)), s.view.last...) }
