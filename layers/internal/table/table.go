// Package table has a map from names to values that is locked in parts.
package table

import (
	"hash/maphash"
	"sync"
)

// Shards is how many parts a [Table] has, so that what happens to one name delays few
// others.
const Shards = 64

// seed differs from process to process, so that a peer cannot choose names that share a
// shard.
var seed = maphash.MakeSeed() //nolint:gochecknoglobals // the zero value of a Table is ready for use

// Table maps names to values of type T, whose zero value stands for none. The zero Table
// is empty.
type Table[T comparable] [Shards]Shard[T]

// Shard is a part of a [Table]. Its methods require that it is locked; Get requires a read
// lock only.
type Shard[T comparable] struct { //nolint:gocritic // callers lock it for several calls
	sync.RWMutex

	names map[string]T

	_ [cacheLine - 32]byte // other shards are locked on other cores
}

// cacheLine is the size of a cache line, or of a pair where the processor fetches pairs.
const cacheLine = 128

// Shard returns the part that name is in.
func (t *Table[T]) Shard(name string) *Shard[T] {
	return &t[maphash.String(seed, name)%Shards]
}

// Get returns the value of name.
func (t *Table[T]) Get(name string) (v T, ok bool) {
	s := t.Shard(name)
	s.RLock()
	defer s.RUnlock()
	v, ok = s.names[name]
	return v, ok
}

// Names returns the names of all shards, in no order.
func (t *Table[T]) Names() []string {
	var names []string
	for i := range t {
		s := &t[i]
		s.RLock()
		for name := range s.names {
			names = append(names, name)
		}
		s.RUnlock()
	}
	return names
}

// Get returns the value of name, or the zero value.
func (s *Shard[T]) Get(name string) T { return s.names[name] }

// Put sets the value of name.
func (s *Shard[T]) Put(name string, v T) {
	if s.names == nil {
		s.names = make(map[string]T)
	}
	s.names[name] = v
}

// Delete removes name.
func (s *Shard[T]) Delete(name string) { delete(s.names, name) }

// All yields the names and values of the shard, which may be deleted meanwhile.
func (s *Shard[T]) All(yield func(string, T) bool) {
	for name, v := range s.names {
		if !yield(name, v) {
			return
		}
	}
}
