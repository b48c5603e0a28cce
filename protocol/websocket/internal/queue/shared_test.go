package queue

import (
	"errors"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// TestSharedIsCharged has one message in the queues of two servers: each server is
// charged once, until the last of its queues has written or dropped it.
func TestSharedIsCharged(t *testing.T) {
	t.Parallel()
	const size = 50 << 10
	ways := map[string]func(q *Queue){
		"written":  func(q *Queue) { writeAll(q) },
		"aborted":  (*Queue).Abort,
		"dropped":  func(q *Queue) { q.DropOldest(q.Budget.Each) },
		"replaced": func(q *Queue) { q.Replace("k", ownFrame("x"), nil) }, //nolint:errcheck // what is charged shows it
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pools := []*Pool{NewPool(roomy), NewPool(roomy)}
			frames := []*Shared{NewShared(make([]byte, size), pools[0]), NewShared(make([]byte, size), pools[1])}
			var queues []*Queue
			for i := range 6 {
				q := &Queue{Budget: &Budget{Each: roomy, Pool: pools[i%2]}}
				queues = append(queues, q)
				var err error
				if name == "replaced" {
					_, err = q.Replace("k", frames[i%2].Frame(), nil)
				} else {
					err = q.Add(frames[i%2].Frame(), nil)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for i, q := range queues {
				for at, pool := range pools {
					want := int64(size)
					if i > 4 && at == 0 {
						want = 0
					}
					if got := pool.Used(); got != want {
						t.Errorf("%d are over: server %d is charged %d, want %d", i, at, got, want)
					}
				}
				end(q)
			}
			for at, pool := range pools {
				if got := pool.Used(); got != 0 {
					t.Errorf("server %d is charged %d at the end", at, got)
				}
			}
		})
	}
}

// TestSharedBudget queues a frame when the pool has little room, or none.
func TestSharedBudget(t *testing.T) {
	t.Parallel()
	const size = 10 << 10
	rows := []struct {
		at      testkit.Line
		all     int
		first   bool // the queue has a message
		others  bool // another queue has the frame
		err     error
		refused int64
	}{
		{testkit.Here(), size, true, false, nil, 0},
		{testkit.Here(), size - 1, true, false, protocol.ErrQueueFull, 1},
		{testkit.Here(), size - 1, false, false, nil, 0}, // one message always fits
		{testkit.Here(), 0, true, true, nil, 0},          // it is there already, and costs nothing
	}
	for _, row := range rows {
		b := &Budget{Each: roomy, Pool: NewPool(row.all)}
		shared := NewShared(make([]byte, size), b.Pool)
		if row.others {
			if err := (&Queue{Budget: b}).Add(shared.Frame(), nil); err != nil {
				t.Fatal(err)
			}
		}
		q := &Queue{Budget: b}
		if row.first {
			add(t, q, "<one's own>")
		}
		if err := q.Add(shared.Frame(), nil); !errors.Is(err, row.err) || b.Refused() != row.refused {
			t.Errorf("%s: got %v and %d refused, want %v and %d", row.at, err, b.Refused(), row.err, row.refused)
		}
	}
}

// TestSharedReplaces has a large message with a key replaced when the pool is used up by
// it: it makes room for its successor.
func TestSharedReplaces(t *testing.T) {
	t.Parallel()
	const size = 10 << 10
	q := &Queue{Budget: &Budget{Each: roomy, Pool: NewPool(size)}}
	add(t, q, "<one's own>")
	replace := func(size int) (bool, error) {
		return q.Replace("k", NewShared(make([]byte, size), q.Budget.Pool).Frame(), nil)
	}
	for i := range 3 {
		if replaced, err := replace(size); replaced != (i > 0) || err != nil {
			t.Errorf("replaced %v, %v", replaced, err)
		}
	}
	if replaced, err := replace(size + 1); replaced || !errors.Is(err, protocol.ErrQueueFull) {
		t.Errorf("a larger one: replaced %v, %v, want ErrQueueFull", replaced, err)
	}
	if got := q.Budget.Used(); got != size {
		t.Errorf("%d charged, want %d", got, size)
	}
}

// TestSharedDropOldest drops large messages until the pool has room, and no more; none
// if that would not help.
func TestSharedDropOldest(t *testing.T) {
	t.Parallel()
	const size = 10 << 10
	fill := func(q *Queue) {
		for q.Add(NewShared(make([]byte, size), q.Budget.Pool).Frame(), nil) == nil {
			continue
		}
	}
	q := &Queue{Budget: &Budget{Each: roomy, Pool: NewPool(5 * size)}}
	fill(q)
	if n := q.DropOldest(size); n != 1 {
		t.Errorf("dropped %d, want 1", n)
	}
	fill(q)
	if got := q.Budget.Used(); got != 5*size {
		t.Errorf("%d charged, want %d", got, 5*size)
	}
	q.Peek(most)
	q.Budget.used.Add(10 * size) // others take it
	fill(q)
	if n := q.DropOldest(size); n != 0 || !q.Started() {
		t.Errorf("dropped %d, which did not help", n)
	}
}

// TestSharedConcurrently holds and drops a frame from many goroutines.
func TestSharedConcurrently(t *testing.T) {
	t.Parallel()
	pool := NewPool(3000)
	s := NewShared(make([]byte, 1000), pool)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 5000 {
				if s.hold(i%2 == 0) {
					s.drop()
				}
			}
		})
	}
	all.Wait()
	if pool.Used() != 0 || s.holders.Load() != 0 {
		t.Errorf("%d charged, %d holders at the end", pool.Used(), s.holders.Load())
	}
}
