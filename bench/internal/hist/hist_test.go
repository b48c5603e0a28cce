package hist

import (
	"maps"
	"math"
	"testing"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	for _, v := range []uint64{0, 1, 63, 64, 127, 128, 129, 255, 256, 1000, 1e6, 123456789, 1 << 40, math.MaxInt64} {
		low, high := uint64(lowest(bucket(v))), uint64(lowest(bucket(v)+1))
		if v < low || v >= high && v != math.MaxInt64 {
			t.Errorf("%d is in the bucket of %d to %d", v, low, high)
		}
		if v > 128 && float64(v-low) > float64(v)/64 {
			t.Errorf("%d is told as %d, more than 1/64 off", v, low)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("median of nothing: %d", got)
	}
	for v := range int64(100) {
		h.Add(v)
	}
	for q, want := range map[float64]int64{0: 0, 0.5: 50, 0.99: 99, 1: 99} {
		if got := h.Quantile(q); got != want {
			t.Errorf("quantile %v: got %d, want %d", q, got, want)
		}
	}
	if got := h.Above(89); got != 10 {
		t.Errorf("%d are above 89, want 10", got)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	var a, b Histogram
	for _, ns := range []int64{-1, 5, 5, 1e6} {
		a.Add(ns)
	}
	b.Add(7)
	b.AddCounts(a.Counts())
	b.AddCounts(map[int]uint64{-1: 1, buckets: 1}) // of no histogram
	if want := map[int]uint64{0: 1, 5: 2, 7: 1, bucket(1e6): 1}; !maps.Equal(b.Counts(), want) || b.Total() != 5 {
		t.Errorf("counted %v, %d in all; want %v, 5", b.Counts(), b.Total(), want)
	}
}
