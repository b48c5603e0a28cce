package redis

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOrderOf orders few and many times, that differ in some of their bytes.
func TestOrderOf(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 5, 199, 200, 5000} {
		for _, mask := range []uint64{0, 0xff, 0xff00ff, 0xf << 60, ^uint64(0)} {
			all := make([]entry, n)
			for i := range all {
				all[i] = entry{random.Uint64() & mask, i}
			}
			want := slices.Clone(all)
			slices.SortStableFunc(want, func(a, b entry) int { return cmp.Compare(a.since, b.since) })
			got := orderOf(all)
			if n < 200 { // the order of equal ones is any
				slices.SortStableFunc(got, func(a, b entry) int { return cmp.Or(cmp.Compare(a.since, b.since), cmp.Compare(a.place, b.place)) })
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d times with the bits %x are not in order", n, mask)
			}
		}
	}
}
