// Package hist counts durations, in the load generator and in the nodes that the command
// nodes measures.
package hist

import "math/bits"

// subBits sets the resolution of a histogram: 1/64 of the value.
const subBits = 6

const buckets = (64 - subBits + 1) << subBits

// Histogram counts durations in nanoseconds, exactly below 128 and from there in 64
// buckets to each power of two. The zero value is empty.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
}

// Add counts a duration. A negative one counts as 0.
func (h *Histogram) Add(ns int64) {
	h.counts[bucket(uint64(max(ns, 0)))]++
	h.total++
}

// Total is how many durations have been counted.
func (h *Histogram) Total() uint64 { return h.total }

// Quantile returns the lower bound of the bucket that holds the q-th value, or 0 if h is
// empty.
func (h *Histogram) Quantile(q float64) int64 {
	if h.total == 0 {
		return 0
	}
	rank := min(uint64(q*float64(h.total)), h.total-1)
	var seen uint64
	for i, n := range &h.counts {
		if seen += n; seen > rank {
			return lowest(i)
		}
	}
	return 0
}

// Above returns how many durations are in buckets whose lower bound is above ns.
func (h *Histogram) Above(ns int64) (n uint64) {
	for i, m := range &h.counts {
		if lowest(i) > ns {
			n += m
		}
	}
	return n
}

// Counts returns the buckets that are not empty, as processes exchange them: the number of
// durations by the number of the bucket.
func (h *Histogram) Counts() map[int]uint64 {
	some := make(map[int]uint64)
	for i, n := range &h.counts {
		if n > 0 {
			some[i] = n
		}
	}
	return some
}

// AddCounts adds what Counts of another histogram has returned. Numbers that no bucket has
// are ignored.
func (h *Histogram) AddCounts(some map[int]uint64) {
	for i, n := range some {
		if i >= 0 && i < buckets {
			h.counts[i] += n
			h.total += n
		}
	}
}

func bucket(v uint64) int {
	exp := max(bits.Len64(v)-subBits-1, 0)
	return exp<<subBits + int(v>>exp)
}

func lowest(i int) int64 {
	exp := max(i>>subBits-1, 0)
	return int64(i-exp<<subBits) << exp
}
