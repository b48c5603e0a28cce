package websocket

import (
	"fmt"
	"testing"

	"github.com/wye-go/wye/protocol"
)

// BenchmarkConflate is a send with a key while messages with so many keys wait, all
// of which get new ones in turn: with 5000 it must not cost much more than with one.
func BenchmarkConflate(b *testing.B) {
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
		{"shared", []int{100, 101}, true, false},
		{"large", []int{copyBelow}, true, false},
		{"changes form", []int{100, copyBelow}, true, false},
	} {
		for _, keys := range []int{1, 100, 5000} {
			b.Run(fmt.Sprint(row.name, "/", keys), func(b *testing.B) {
				o := boxOf(1 << 30)
				o.budget.all = 1 << 30
				o.hold()
				var rounds [][]keyed
				for _, size := range row.sizes {
					rounds = append(rounds, keyedRound(keys, size, row.shared))
				}
				send := func(i int) {
					if row.fence {
						o.mu.messages++ // as if it were written at once
					}
					round := rounds[i/keys%len(rounds)]
					if _, _, err := o.conflate(round[i*7919%keys]); err != nil {
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

// keyedRound is a message of that size for each key.
func keyedRound(keys, size int, shared bool) (round []keyed) {
	for i := range keys {
		m := keyed{key: fmt.Sprint("key", i)}
		m.own = protocol.Message{Data: make([]byte, size), Key: m.key}
		if shared {
			m.prepared = protocol.Prepare(m.own)
		}
		round = append(round, m)
	}
	return round
}
