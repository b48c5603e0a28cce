package layers

import (
	"hash/maphash"
	"sync"
)

// shards is how many parts a table has, so that what happens to one name holds up
// few others.
const shards = 64

// seed differs from process to process, so that nobody can choose names that share
// a shard.
var seed = maphash.MakeSeed() //nolint:gochecknoglobals // the zero value of a table is ready for use

// table maps names to T, of which the zero value is nothing. Its zero value is
// empty.
type table[T comparable] [shards]shard[T]

// shard is a part of a table. Its methods but get are called with it locked, get
// with it locked for reading at least.
type shard[T comparable] struct {
	sync.RWMutex

	names map[string]T
}

// shard returns the part that name is in.
func (t *table[T]) shard(name string) *shard[T] {
	return &t[maphash.String(seed, name)%shards]
}

// get returns what name stands for.
func (t *table[T]) get(name string) (v T, ok bool) {
	s := t.shard(name)
	s.RLock()
	defer s.RUnlock()
	v, ok = s.names[name]
	return v, ok
}

func (s *shard[T]) get(name string) T { return s.names[name] }

func (s *shard[T]) put(name string, v T) {
	if s.names == nil {
		s.names = make(map[string]T)
	}
	s.names[name] = v
}

func (s *shard[T]) drop(name string) { delete(s.names, name) }
