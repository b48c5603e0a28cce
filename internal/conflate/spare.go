package conflate

import "sync"

// spareItems is how many items the memory has that queues share: few, because the
// mailboxes of all members of a large group hold an event at the same time.
const spareItems = 2

// Spare is memory for the items of queues that are rarely in use, so that such a queue
// holds none while it is empty, and its first item needs no allocation. It is safe for
// concurrent use.
type Spare[T any] struct{ pool sync.Pool }

// Lend gives q memory, if it has none.
func (s *Spare[T]) Lend(q *Queue[T]) {
	if cap(q.items) > 0 {
		return
	}
	if items, ok := s.pool.Get().(*[spareItems]item[T]); ok {
		q.items = items[:0]
		return
	}
	q.items = make([]item[T], 0, spareItems)
}

// TakeBack takes the memory of q, which must be empty.
func (s *Spare[T]) TakeBack(q *Queue[T]) {
	if cap(q.items) == spareItems {
		s.pool.Put((*[spareItems]item[T])(q.items[:spareItems]))
	}
	q.items, q.head = nil, 0
}
