package engine

import (
	"maps"
	"sync"
	"sync/atomic"
)

// registry is a map that is read without a lock, for few entries of which new ones are
// rare. The zero value is empty. All methods are safe for concurrent use.
type registry[K comparable, V any] struct {
	known atomic.Pointer[map[K]V]
	mu    sync.Mutex // for changes
}

// find returns the value of key.
func (r *registry[K, V]) find(key K) (v V, ok bool) {
	if known := r.known.Load(); known != nil {
		v, ok = (*known)[key]
	}
	return v, ok
}

// add makes v the value of key, unless key has one or there are most entries. It returns
// the value that key has, or v.
func (r *registry[K, V]) add(key K, v V, most int) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, ok := r.find(key); ok {
		return other
	}
	known := map[K]V{}
	if old := r.known.Load(); old != nil {
		maps.Copy(known, *old)
	}
	if len(known) < most {
		known[key] = v
		r.known.Store(&known)
	}
	return v
}
