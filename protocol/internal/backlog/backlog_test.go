package backlog_test

import (
	"math"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/internal/backlog"
)

func TestFillOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at          testkit.Line
		used, limit int
		want        backlog.Fill
	}{
		{testkit.Here(), 0, 1, backlog.Low},
		{testkit.Here(), 1, 1, backlog.High},
		{testkit.Here(), 2, 1, backlog.Over},
		{testkit.Here(), 4, 1, backlog.Over},
		{testkit.Here(), 5, 1, backlog.Hard},
		{testkit.Here(), 50, 100, backlog.Low},
		{testkit.Here(), 51, 100, backlog.High},
		{testkit.Here(), 100, 100, backlog.High},
		{testkit.Here(), 101, 100, backlog.Over},
		{testkit.Here(), 400, 100, backlog.Over},
		{testkit.Here(), 401, 100, backlog.Hard},
		{testkit.Here(), math.MaxInt, math.MaxInt/2 + 1, backlog.Over}, // four times as much is no number
	} {
		if got := backlog.FillOf(test.used, test.limit); got != test.want {
			t.Errorf("%s: FillOf(%d, %d) = %d, want %d", test.at, test.used, test.limit, got, test.want)
		}
	}
}

// TestBacklog plays what is asked of a queue over time.
func TestBacklog(t *testing.T) {
	t.Parallel()
	type ask struct {
		after time.Duration // since the one before
		f     backlog.Fill
		exact bool
		want  bool // admitted
		fresh bool // then
	}
	drained := ask{f: backlog.Low}
	const ms = time.Millisecond
	for _, test := range []struct {
		at   testkit.Line
		asks []ask
	}{
		{testkit.Here(), []ask{{0, backlog.High, false, true, true}, {999 * ms, backlog.Over, false, true, true}, {1 * ms, backlog.Over, false, false, false}, {0, backlog.High, false, true, false}}},
		{testkit.Here(), []ask{{0, backlog.Over, false, true, true}, {0, backlog.Hard, false, false, true}, {1000 * ms, backlog.Over, false, false, false}}},
		{testkit.Here(), []ask{{0, backlog.Hard, false, false, false}, {5000 * ms, backlog.Over, false, true, true}}}, // what is not added makes nobody late
		{testkit.Here(), []ask{{0, backlog.High, true, true, true}, {0, backlog.Over, true, false, true}, {1000 * ms, backlog.High, true, true, false}}},
		{testkit.Here(), []ask{{0, backlog.High, false, true, true}, drained, {5000 * ms, backlog.Over, false, true, true}}},
		{testkit.Here(), []ask{{0, backlog.High, false, true, true}, {5000 * ms, backlog.High, false, true, false}, drained, {0, backlog.Over, false, true, true}}},
	} {
		var g backlog.Gauge
		now := time.Now()
		for i, a := range test.asks {
			if a == drained {
				g.Drained()
				continue
			}
			now = now.Add(a.after)
			got := g.Admit(a.f, a.exact, now)
			if fresh := g.IsFresh(now); got != a.want || fresh != a.fresh {
				t.Errorf("%s: ask %d: admitted %v, fresh %v, want %v, %v", test.at, i, got, fresh, a.want, a.fresh)
			}
		}
	}
}
