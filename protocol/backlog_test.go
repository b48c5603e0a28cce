package protocol

import (
	"math"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

func TestFillOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at          testkit.Line
		used, limit int
		want        fill
	}{
		{testkit.Here(), 0, 1, fillLow},
		{testkit.Here(), 1, 1, fillHigh},
		{testkit.Here(), 2, 1, fillOver},
		{testkit.Here(), 4, 1, fillOver},
		{testkit.Here(), 5, 1, fillHard},
		{testkit.Here(), 50, 100, fillLow},
		{testkit.Here(), 51, 100, fillHigh},
		{testkit.Here(), 100, 100, fillHigh},
		{testkit.Here(), 101, 100, fillOver},
		{testkit.Here(), 400, 100, fillOver},
		{testkit.Here(), 401, 100, fillHard},
		{testkit.Here(), math.MaxInt, math.MaxInt/2 + 1, fillOver}, // four times as much is no number
	} {
		if got := fillOf(test.used, test.limit); got != test.want {
			t.Errorf("%s: fillOf(%d, %d) = %d, want %d", test.at, test.used, test.limit, got, test.want)
		}
	}
}

// TestBacklog plays what is asked of a queue over time.
func TestBacklog(t *testing.T) {
	t.Parallel()
	type ask struct {
		after time.Duration // since the one before
		f     fill
		exact bool
		want  bool // admitted
		fresh bool // then
	}
	drained := ask{f: fillLow}
	const ms = time.Millisecond
	for _, test := range []struct {
		at   testkit.Line
		asks []ask
	}{
		{testkit.Here(), []ask{{0, fillHigh, false, true, true}, {999 * ms, fillOver, false, true, true}, {1 * ms, fillOver, false, false, false}, {0, fillHigh, false, true, false}}},
		{testkit.Here(), []ask{{0, fillOver, false, true, true}, {0, fillHard, false, false, true}, {1000 * ms, fillOver, false, false, false}}},
		{testkit.Here(), []ask{{0, fillHard, false, false, false}, {5000 * ms, fillOver, false, true, true}}}, // what is not added makes nobody late
		{testkit.Here(), []ask{{0, fillHigh, true, true, true}, {0, fillOver, true, false, true}, {1000 * ms, fillHigh, true, true, false}}},
		{testkit.Here(), []ask{{0, fillHigh, false, true, true}, drained, {5000 * ms, fillOver, false, true, true}}},
		{testkit.Here(), []ask{{0, fillHigh, false, true, true}, {5000 * ms, fillHigh, false, true, false}, drained, {0, fillOver, false, true, true}}},
	} {
		var b backlog
		now := time.Now()
		for i, a := range test.asks {
			if a == drained {
				b.drained()
				continue
			}
			now = now.Add(a.after)
			got := b.admit(a.f, a.exact, now)
			if fresh := b.isFresh(now); got != a.want || fresh != a.fresh {
				t.Errorf("%s: ask %d: admitted %v, fresh %v, want %v, %v", test.at, i, got, fresh, a.want, a.fresh)
			}
		}
	}
}
