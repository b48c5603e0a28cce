package load

import "math/bits"

// subBits sets the resolution of a histogram: 1/64 of the value.
const subBits = 6

// histogram counts durations in nanoseconds, exactly below 128 and from there
// in 64 buckets to each power of two.
type histogram struct {
	counts [(64 - subBits + 1) << subBits]uint64
	total  uint64
}

func (h *histogram) add(ns int64) {
	h.counts[bucket(uint64(max(ns, 0)))]++
	h.total++
}

// quantile returns the lower bound of the bucket that holds the q-th value.
func (h *histogram) quantile(q float64) int64 {
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

func bucket(v uint64) int {
	exp := max(bits.Len64(v)-subBits-1, 0)
	return exp<<subBits + int(v>>exp)
}

func lowest(i int) int64 {
	exp := max(i>>subBits-1, 0)
	return int64(i-exp<<subBits) << exp
}
