// Package conflate has the rule of protocol.Message.Key: which waiting message a new
// one with the same key replaces, and where the new one goes. It has no lock.
package conflate

import (
	"iter"
	"slices"
)

const (
	keptItems = 20 // capacity up to which an empty queue keeps its list: append makes 16 or a few more
	keptKeys  = 64 // keys at once up to which an empty queue keeps its index: maps do not shrink
)

// Queue is a first-in, first-out queue of values, of which some have a key. A value
// with a key replaces the one with the same key that waits: see [Queue.Put]. The zero
// value is an empty queue and holds no memory. A call takes constant time, amortized,
// unless its comment says otherwise.
type Queue[T any] struct {
	items   []item[T] // the first and the last one wait
	head    int       // index of the first item
	waiting int       // items that wait
	index   *index    // nil if no value with a key was queued
}

type item[T any] struct {
	value  T
	key    string
	fences int // of the index, when it was queued; removed if it does not wait
}

const removed = -1

type index struct {
	at     map[string]int // items that a value with their key replaces
	most   int            // of them at once
	fences int            // calls of Fence
}

// Len returns how many values wait.
func (q *Queue[T]) Len() int { return q.waiting }

// HasKeys reports whether a value waits that a value with its key would replace.
func (q *Queue[T]) HasKeys() bool { return q.index != nil && len(q.index.at) > 0 }

// Add queues v under key, as Put does. If key is empty, no later value overtakes v.
func (q *Queue[T]) Add(key string, v T) (old T, replaced bool) {
	if key != "" {
		return q.Put(key, v)
	}
	q.Fence()
	q.Append(v)
	return old, false
}

// Append queues v without a key. Later values with a key may overtake v, unless Fence
// is called.
func (q *Queue[T]) Append(v T) { q.append("", v) }

// Fence keeps later values from overtaking those that wait: from now on, a value that
// replaces one of them goes to the end.
func (q *Queue[T]) Fence() {
	if q.index != nil {
		q.index.fences++
	}
}

// ForgetKeys keeps the values that wait from being replaced. It takes time for each
// key. A queue that is empty gives up the memory of its keys.
func (q *Queue[T]) ForgetKeys() {
	switch {
	case q.waiting == 0:
		q.index = nil
	case q.index != nil:
		clear(q.index.at)
	}
}

// Find returns the value that Put(key, …) would replace, and nil if there is none. The
// pointer is valid until the queue changes.
func (q *Queue[T]) Find(key string) *T {
	if q.index == nil {
		return nil
	}
	if at, ok := q.index.at[key]; ok {
		return &q.items[at].value
	}
	return nil
}

// Put queues v under key, which is not empty. If a value with that key waits, v
// replaces it, and Put returns it: v takes its place, unless Fence has been called
// since it was queued; then it is removed and v goes to the end.
func (q *Queue[T]) Put(key string, v T) (old T, replaced bool) {
	if q.index == nil {
		q.index = &index{at: make(map[string]int)}
	}
	x := q.index
	at, replaced := x.at[key]
	if replaced {
		old = q.items[at].value
		if q.items[at].fences == x.fences {
			q.items[at].value = v
			return old, true
		}
		q.clear(at)
		q.index = x // clear gives it up if nothing else waits
	}
	q.append(key, v)
	x.at[key] = len(q.items) - 1
	x.most = max(x.most, len(x.at))
	return old, replaced
}

// First returns the oldest value and its key, and nil if the queue is empty. The
// pointer is valid until the queue changes.
func (q *Queue[T]) First() (v *T, key string) {
	if q.waiting == 0 {
		return nil, ""
	}
	return &q.items[q.head].value, q.items[q.head].key
}

// Last returns the newest value, as First returns the oldest.
func (q *Queue[T]) Last() *T {
	if q.waiting == 0 {
		return nil
	}
	return &q.items[len(q.items)-1].value
}

// Pop removes the oldest value and returns it. The queue must not be empty.
func (q *Queue[T]) Pop() T {
	v := q.items[q.head].value
	q.remove(q.head)
	return v
}

// RemoveFirst removes the oldest value that match accepts. It takes time for each
// value before.
func (q *Queue[T]) RemoveFirst(match func(v *T) bool) (v T, ok bool) {
	for at := q.head; at < len(q.items); at++ {
		if it := &q.items[at]; it.fences != removed && match(&it.value) {
			v = it.value
			q.remove(at)
			return v, true
		}
	}
	return v, false
}

// All iterates over the values that wait and their keys, the oldest first. The queue
// must not change meanwhile.
func (q *Queue[T]) All() iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for at := q.head; at < len(q.items); at++ {
			if it := &q.items[at]; it.fences != removed && !yield(it.key, &it.value) {
				return
			}
		}
	}
}

func (q *Queue[T]) append(key string, v T) {
	q.compact()
	n := len(q.items)
	q.items = slices.Grow(q.items, 1)[:n+1]
	it := &q.items[n]
	it.value, it.key, it.fences = v, key, 0
	if q.index != nil {
		it.fences = q.index.fences
	}
	q.waiting++
}

// remove removes an item that waits.
func (q *Queue[T]) remove(at int) {
	if q.isKnown(at) {
		delete(q.index.at, q.items[at].key)
	}
	q.clear(at)
}

// clear is remove for an item that has left the index, or will be replaced in it.
func (q *Queue[T]) clear(at int) {
	q.items[at] = item[T]{fences: removed}
	q.waiting--
	if q.waiting == 0 {
		q.reset()
		return
	}
	if q.head < at && at < len(q.items)-1 {
		return
	}
	for q.items[q.head].fences == removed {
		q.head++
	}
	for q.items[len(q.items)-1].fences == removed {
		q.items = q.items[:len(q.items)-1]
	}
}

// isKnown reports whether an item would be replaced by a value with its key.
func (q *Queue[T]) isKnown(at int) bool {
	key := q.items[at].key
	if key == "" {
		return false
	}
	known, ok := q.index.at[key]
	return ok && known == at
}

// reset gives up the memory of a queue that is empty, unless it is little.
func (q *Queue[T]) reset() {
	q.items, q.head = q.items[:0], 0
	if cap(q.items) > keptItems {
		q.items = nil
	}
	if q.index != nil && q.index.most > keptKeys {
		q.index = nil
	}
}

// compact closes the gaps if there are more of them than items that wait.
func (q *Queue[T]) compact() {
	if len(q.items) <= max(keptItems, 2*q.waiting) {
		return
	}
	kept := q.items[:0]
	for at, it := range q.items {
		if it.fences == removed {
			continue
		}
		if q.isKnown(at) {
			q.index.at[it.key] = len(kept)
		}
		kept = append(kept, it)
	}
	clear(q.items[len(kept):])
	q.items, q.head = kept, 0
}
