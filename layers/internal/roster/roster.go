// Package roster has a set of the members of a group that can be walked without a lock.
package roster

import (
	"slices"
	"sync/atomic"
)

const (
	// chunkSize is how many members are copied when one leaves a group that has been
	// walked.
	chunkSize = 256
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
	view View[M]

	index  map[M]int   // nil as long as searching is as good
	walked atomic.Bool // Walk has been called since epoch started
	epoch  uint64      // counts walks, as far as changes have to know of them

	copied     []uint64 // the epoch in which each chunk of view.full was last copied
	listCopied uint64   // the epoch in which view.full itself was
	lastCopied uint64   // the epoch in which view.last was
}

// View is a list of members in chunks.
type View[M any] struct {
	full [][]M // chunkSize each
	last []M
}

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

// find returns the index of m, or -1.
func (s *Set[M]) find(m M) int {
	if s.index != nil {
		if at, in := s.index[m]; in {
			return at
		}
		return -1
	}
	return slices.Index(s.view.last, m)
}

// Add adds m. It reports false if m was there.
func (s *Set[M]) Add(m M) bool {
	if s.Has(m) {
		return false
	}
	v := &s.view
	if len(v.last) == chunkSize {
		v.full, s.copied = append(v.full, v.last), append(s.copied, s.lastCopied)
		v.last, s.lastCopied = make([]M, 0, chunkSize), s.epoch
	}
	v.last = append(v.last, m)
	switch n := s.Len(); {
	case s.index != nil:
		s.index[m] = n - 1
	case n > searchBelow:
		s.index = make(map[M]int, 2*n)
		for i, m := range v.last {
			s.index[m] = i
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
	last := s.view.last
	end := len(last) - 1
	if moved := last[end]; moved != m {
		s.set(at, moved)
		if s.index != nil {
			s.index[moved] = at
		}
	}
	last[end] = *new(M)
	s.view.last = last[:end]
	delete(s.index, m)
	return true
}

// Replace puts m, which is not in the set, in the place of old, which is.
func (s *Set[M]) Replace(old, m M) {
	at := s.find(old)
	s.startEpoch()
	if at >= len(s.view.full)*chunkSize {
		s.ownLast()
	}
	s.set(at, m)
	if s.index != nil {
		delete(s.index, old)
		s.index[m] = at
	}
}

// startEpoch starts a new epoch if there has been a walk.
func (s *Set[M]) startEpoch() {
	if s.walked.Swap(false) {
		s.epoch++
	}
}

// reopenChunk makes the last full chunk the one that is added to.
func (s *Set[M]) reopenChunk() {
	s.ownList()
	v, end := &s.view, len(s.view.full)-1
	v.last, s.lastCopied = v.full[end], s.copied[end]
	v.full[end] = nil
	v.full, s.copied = v.full[:end], s.copied[:end]
}

// set writes m to the index at. If that is in the last chunk, ownLast has been called.
func (s *Set[M]) set(at int, m M) {
	v, i := &s.view, at/chunkSize
	if i == len(v.full) {
		v.last[at%chunkSize] = m
		return
	}
	if s.copied[i] < s.epoch {
		s.ownList()
		v.full[i], s.copied[i] = slices.Clone(v.full[i]), s.epoch
	}
	v.full[i][at%chunkSize] = m
}

// ownList makes view.full a list that no walk has.
func (s *Set[M]) ownList() {
	if s.listCopied < s.epoch {
		s.view.full, s.listCopied = slices.Clone(s.view.full), s.epoch
	}
}

// ownLast makes view.last a chunk that no walk has.
func (s *Set[M]) ownLast() {
	if s.lastCopied < s.epoch {
		s.view.last, s.lastCopied = append(make([]M, 0, cap(s.view.last)), s.view.last...), s.epoch
	}
}
