package fanout

import (
	"fmt"
	"testing"

	"github.com/wye-go/wye/bench/internal/cputime"
)

// BenchmarkSend is one send to a group. Centrifuge's bytes are neither an event
// nor the whole of what is sent: its node encodes them, once.
func BenchmarkSend(b *testing.B) {
	for _, what := range []string{anEvent, sealed, broadcast} {
		for _, n := range []int{1, 1000, 100_000} {
			for _, made := range append(hubs(), make1{"centrifuge-queued", newQueued}) {
				b.Run(fmt.Sprintf("what=%s/members=%d/hub=%s", what, n, made.name), func(b *testing.B) {
					h := made.make(b)
					send := h.sends[what]
					if send == nil {
						b.Skip("it has no events")
					}
					members := h.enter(b, "g", n)
					measure(b, n, func() error { return send("g") })
					for i, m := range members {
						if m.count() < int64(b.N) {
							b.Fatalf("member %d has got %d of %d", i, m.count(), b.N)
						}
					}
				})
			}
		}
	}
}

// measure reports what one op costs for each of its n deliveries, too.
func measure(b *testing.B, n int, op func() error) {
	b.Helper()
	b.ReportAllocs()
	used := cputime.Start(b)
	for b.Loop() {
		if err := op(); err != nil {
			b.Fatal(err)
		}
	}
	used.Report()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
}
