package rate_test

import (
	"testing"
	"time"

	"github.com/wye-go/wye/internal/rate"
	"github.com/wye-go/wye/internal/testkit"
)

func TestBucket(t *testing.T) {
	t.Parallel()
	type step struct {
		after   time.Duration // since the step before
		n       float64
		taken   bool
		missing float64 // afterwards
	}
	for _, row := range []struct {
		at               testkit.Line
		perSecond, burst float64
		steps            []step
	}{
		{testkit.Here(), 10, 3, []step{
			{0, 1, true, 1}, {0, 2, true, 3}, {0, 1, false, 3}, {50 * time.Millisecond, 1, false, 2.5}, {50 * time.Millisecond, 1, true, 3},
			{time.Hour, 0, true, 0}, {0, 3, true, 3}, {0, 0, true, 3},
		}},
		{testkit.Here(), 1, 1, []step{{0, 1, true, 1}, {999 * time.Millisecond, 1, false, 0.001}, {time.Millisecond, 1, true, 1}}},
		{testkit.Here(), 0.5, 1, []step{{0, 1, true, 1}, {time.Second, 1, false, 0.5}, {time.Second, 1, true, 1}}},
		{testkit.Here(), 10, 3, []step{{0, 4, false, 0}, {0, 3, true, 3}}},
		{testkit.Here(), 10, 3, []step{{0, 3, true, 3}, {-time.Hour, 1, false, 3}, {time.Hour, 1, false, 3}, {time.Second, 1, true, 1}}},
		{testkit.Here(), 0, 2, []step{{0, 2, true, 2}, {time.Hour, 1, false, 2}}},
	} {
		b, now := rate.Bucket{PerSecond: row.perSecond, Burst: row.burst}, time.Now()
		for i, s := range row.steps {
			now = now.Add(s.after)
			taken := b.Take(now, s.n)
			if missing := b.Missing(now); taken != s.taken || missing-s.missing > 1e-9 || s.missing-missing > 1e-9 {
				t.Errorf("%s: step %d: taken %v, missing %v; want %v, %v", row.at, i+1, taken, missing, s.taken, s.missing)
			}
		}
	}
}

// TestBucketBounds makes sure that in no interval more is taken than the burst and
// the rate allow.
func TestBucketBounds(t *testing.T) {
	t.Parallel()
	b, now := rate.Bucket{PerSecond: 100, Burst: 20}, time.Now()
	taken := 0
	for range 100_000 { // ten attempts in each of 10 ms, for 100 s
		now = now.Add(time.Millisecond)
		if b.Take(now, 1) {
			taken++
		}
	}
	if taken < 10_000 || taken > 10_020 {
		t.Errorf("%d were taken in 100 s, want 100 per second and 20", taken)
	}
}

// TestSpend plays what is spent over time: after each step it says how long it takes
// until there is a token.
func TestSpend(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration // since the step before
		n     float64
		wait  time.Duration
	}
	const ms = time.Millisecond
	for _, row := range []struct {
		at               testkit.Line
		perSecond, burst float64
		steps            []step
	}{
		{testkit.Here(), 10, 3, []step{{0, 1, -100 * ms}, {0, 1, 0}, {0, 1, 100 * ms}, {100 * ms, 0, 0}, {time.Hour, 0, -200 * ms}}},
		{testkit.Here(), 10, 1, []step{{0, 5, 500 * ms}, {100 * ms, 1, 500 * ms}, {500 * ms, 0, 0}}}, // owed
	} {
		b, now := rate.Bucket{PerSecond: row.perSecond, Burst: row.burst}, time.Now()
		for i, s := range row.steps {
			now = now.Add(s.after)
			b.Spend(now, s.n)
			if wait := b.Wait(now).Round(ms / 100); wait != s.wait {
				t.Errorf("%s: step %d: a token takes %v, want %v", row.at, i+1, wait, s.wait)
			}
		}
	}
}
