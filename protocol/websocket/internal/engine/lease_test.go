package engine

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestLease goes through what a reader and another goroutine can do, one step after the
// other.
func TestLease(t *testing.T) {
	t.Parallel()
	type step struct {
		do   string // of the reader: "start", "end"; of another goroutine: "expire"
		want bool   // the result of "end" and "expire"
	}
	start, ends, loses := step{do: "start"}, step{"end", true}, step{"end", false}
	expires, early := step{"expire", true}, step{"expire", false}
	rows := []struct {
		at    testkit.Line
		steps []step
	}{
		{testkit.Here(), []step{ends}}, // no callback was started
		{testkit.Here(), []step{early}},
		{testkit.Here(), []step{start, ends}},
		{testkit.Here(), []step{start, ends, early}},
		{testkit.Here(), []step{start, expires, loses}},
		{testkit.Here(), []step{start, expires, early, loses}}, // only one takes over
		{testkit.Here(), []step{start, ends, start, expires, loses}},
	}
	for _, row := range rows {
		var l lease
		before := uint64(0)
		for i, s := range row.steps {
			got := s.want
			switch s.do {
			case "start":
				before = l.number.Load()
				l.startCallback()
			case "end":
				got = l.endCallback(before)
			case "expire":
				got = l.expire(l.number.Load())
			}
			if got != s.want {
				t.Errorf("%s: step %d, %s: got %v, want %v", row.at, i, s.do, got, s.want)
			}
		}
	}
}

// TestLeaseOfTheNextReader: a reader that has lost its lease does not end the callback
// of the one that took over, and a number from before does not expire it.
func TestLeaseOfTheNextReader(t *testing.T) {
	t.Parallel()
	var l lease
	l.startCallback()
	first := l.number.Load()
	if !l.expire(first) {
		t.Fatal("not expired")
	}
	l.startCallback() // of the next reader
	if l.endCallback(first - 1) {
		t.Error("the first reader has ended the callback of the second")
	}
	if l.expire(first) {
		t.Error("the number of the first callback has expired the second")
	}
	if !l.endCallback(first + 1) {
		t.Error("the second reader has lost a lease that did not expire")
	}
}

// TestLeaseHasOneReader has several goroutines expire a lease whose reader runs many
// callbacks: for each callback, the lease is kept or expires once.
func TestLeaseHasOneReader(t *testing.T) {
	t.Parallel()
	const callbacks, others = 2000, 3
	var l lease
	var expired atomic.Int64
	var done atomic.Bool
	var all sync.WaitGroup
	for range others {
		all.Go(func() {
			for !done.Load() {
				if l.expire(l.number.Load()) {
					expired.Add(1)
				}
			}
		})
	}
	lost := int64(0)
	for range callbacks {
		before := l.number.Load()
		l.startCallback()
		if !l.endCallback(before) {
			lost++ // and takes over from the one that took over from it
		}
	}
	done.Store(true)
	all.Wait()
	if n := expired.Load(); n != lost {
		t.Errorf("the lease has expired %d times and was lost %d times", n, lost)
	}
	if n := l.number.Load(); n != 2*callbacks {
		t.Errorf("the number is %d, want %d", n, 2*callbacks)
	}
}

// TestLeaseSamples goes through the numbers that a watcher can see.
func TestLeaseSamples(t *testing.T) {
	t.Parallel()
	quiet := func(number uint64, samples int) []uint64 { return slices.Repeat([]uint64{number}, samples) }
	rows := []struct {
		at      testkit.Line
		numbers []uint64
		want    leaseState // at the last one
	}{
		{testkit.Here(), []uint64{0}, leaseQuiet},
		{testkit.Here(), []uint64{1}, leaseActive},
		{testkit.Here(), []uint64{2}, leaseActive},
		{testkit.Here(), []uint64{1, 3}, leaseActive},
		{testkit.Here(), []uint64{1, 1}, leaseBlocked},
		{testkit.Here(), []uint64{1, 1, 2}, leaseActive},
		{testkit.Here(), []uint64{1, 2, 3, 3}, leaseBlocked},
		{testkit.Here(), []uint64{7, 8, 8, 9, 10, 10}, leaseQuiet},
		{testkit.Here(), quiet(2, idleSamples), leaseQuiet},
		{testkit.Here(), quiet(2, idleSamples+1), leaseIdle},
		{testkit.Here(), slices.Concat(quiet(2, idleSamples), []uint64{3}, quiet(4, idleSamples)), leaseQuiet},
	}
	for _, row := range rows {
		var s leaseSamples
		var got leaseState
		for _, n := range row.numbers {
			got = s.add(n)
		}
		if got != row.want {
			t.Errorf("%s: state %d, want %d", row.at, got, row.want)
		}
	}
}
