package fanout

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/wye-go/wye/bench/internal/cputime"
)

const memberships = 1_000_000

// batch is how many join and leave between two looks at the clock.
const batch = 64

// BenchmarkMemberships is joining and leaving with a million memberships in place.
// B/membership is the memory of these, without names and members: of centrifuge's
// it includes the client's own list of channels, which in Wye is the consumer's.
func BenchmarkMemberships(b *testing.B) {
	for _, each := range []int{1, 100, memberships} {
		for _, made := range hubs() {
			b.Run(fmt.Sprintf("groups=%d/each=%d/hub=%s", memberships/each, each, made.name), func(b *testing.B) {
				h := made.make(b)
				names := groupNames(memberships / each)
				members := h.make(b, memberships+batch)
				size, took := fill(b, h, names, members[:memberships])
				churn(b, h, names, members[memberships:])
				b.ReportMetric(size, "B/membership")
				b.ReportMetric(took, "fill-ns")
				runtime.KeepAlive(members)
			})
		}
	}
}

func groupNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("room.%d", i)
	}
	return names
}

// fill has all members join, each one group. It returns the memory and the time
// that each has taken.
func fill(b *testing.B, h *hub, names []string, members []member) (size, nanoseconds float64) {
	b.Helper()
	before, start := heap(), time.Now()
	for i, m := range members {
		h.mustJoin(b, names[i%len(names)], m)
	}
	took := time.Since(start)
	n := float64(len(members))
	return float64(heap()-before) / n, float64(took.Nanoseconds()) / n
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools have held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// churn has others join and leave again.
func churn(b *testing.B, h *hub, names []string, extra []member) {
	b.Helper()
	var joins, leaves time.Duration
	at := 0
	used := cputime.Start(b)
	for b.Loop() {
		start := time.Now()
		for i, m := range extra {
			h.mustJoin(b, names[(at+i*7919)%len(names)], m)
		}
		joined := time.Now()
		for i, m := range extra {
			h.leave(names[(at+i*7919)%len(names)], m)
		}
		joins, leaves = joins+joined.Sub(start), leaves+time.Since(joined)
		at += len(extra) * 7919
	}
	used.Report()
	pairs := float64(b.N * len(extra))
	b.ReportMetric(float64(joins.Nanoseconds())/pairs, "join-ns")
	b.ReportMetric(float64(leaves.Nanoseconds())/pairs, "leave-ns")
}
