package queue

import (
	"fmt"
	"testing"
)

// BenchmarkReplace is a message with a key while messages with so many keys wait, all
// of which get new ones in turn: with 5000 it must not cost much more than with one.
func BenchmarkReplace(b *testing.B) {
	for _, row := range []struct {
		name   string
		sizes  []int // of one round and the next
		shared bool
		fence  bool // a message without a key comes before each
	}{
		{"same size", []int{100}, false, false},
		{"other size", []int{100, 101}, false, false},
		{"tiny", []int{10, 11}, false, false},
		{"to the end", []int{100}, false, true},
		{"grows", []int{100, 1100}, false, false},
		{"shared", []int{2 << 10}, true, false},
	} {
		for _, keys := range []int{1, 100, 5000} {
			b.Run(fmt.Sprint(row.name, "/", keys), func(b *testing.B) {
				q := &Queue{Budget: &Budget{Each: 1 << 30, Pool: NewPool(1 << 30)}}
				name := make([]string, keys)
				shared := make([]*Shared, keys)
				for i := range keys {
					name[i], shared[i] = fmt.Sprint("key", i), NewShared(make([]byte, row.sizes[0]), q.Budget.Pool)
				}
				send := func(i int) {
					if row.fence {
						q.nonempty().waiting.Fence() // as if it were written at once
					}
					at := i * 7919 % keys
					f := shared[at].Frame()
					if !row.shared {
						f = NewFrame(row.sizes[i/keys%len(row.sizes)])
					}
					if _, err := q.Replace(name[at], f, nil); err != nil {
						b.Fatal(err)
					}
				}
				for i := range keys {
					send(i)
				}
				b.ReportAllocs()
				for i := keys; b.Loop(); i++ {
					send(i)
				}
			})
		}
	}
}

// BenchmarkQueue is a message of 64 bytes that is queued and written.
func BenchmarkQueue(b *testing.B) {
	for _, messages := range []int{1, 16} {
		b.Run(fmt.Sprint(messages), func(b *testing.B) {
			q := queueOf(roomy)
			b.ReportAllocs()
			for b.Loop() {
				for range messages {
					if _, err := q.AddMessage(66, nil); err != nil {
						b.Fatal(err)
					}
				}
				q.Peek(128 << 10)
				q.Advance(66*messages, nil)
			}
		})
	}
}
