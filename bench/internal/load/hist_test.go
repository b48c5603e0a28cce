package load

import (
	"math"
	"testing"
)

func TestBuckets(t *testing.T) {
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
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("median of nothing: %d", got)
	}
	for v := range int64(100) {
		h.add(v)
	}
	for q, want := range map[float64]int64{0: 0, 0.5: 50, 0.99: 99, 1: 99} {
		if got := h.quantile(q); got != want {
			t.Errorf("quantile %v: got %d, want %d", q, got, want)
		}
	}
}
