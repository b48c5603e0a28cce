package admission

import (
	"container/heap"
	"strconv"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// TestThrottle checks how many handshakes are admitted when, and how long the others are
// told to wait.
func TestThrottle(t *testing.T) {
	t.Parallel()
	type step struct {
		after    time.Duration // since the step before
		n        int           // handshakes
		admitted int
		longest  time.Duration // wait that one of them is told
	}
	for _, row := range []struct {
		at    testkit.Line
		c     Capacity
		steps []step
	}{
		{testkit.Here(), Capacity{HandshakesPerSecond: 10}, []step{
			{0, 10, 10, 0}, {0, 1, 0, 100 * time.Millisecond}, {0, 1, 0, 200 * time.Millisecond},
			{100 * time.Millisecond, 2, 1, 200 * time.Millisecond}, {time.Hour, 11, 10, 100 * time.Millisecond},
		}},
		{testkit.Here(), Capacity{HandshakesPerSecond: 10, HandshakeBurst: 2}, []step{
			{0, 3, 2, 100 * time.Millisecond}, {time.Second, 3, 2, 100 * time.Millisecond},
		}},
		{testkit.Here(), Capacity{HandshakesPerSecond: 100}, []step{
			{0, 5100, 100, 50 * time.Second}, {0, 5000, 0, maxWait}, {time.Second, 101, 100, 59*time.Second + 10*time.Millisecond},
		}},
	} {
		c := row.c.withDefaults()
		a, now := newThrottle(&c), time.Now()
		for i, s := range row.steps {
			now = now.Add(s.after)
			admitted, longest := 0, time.Duration(0)
			for range s.n {
				wait := a.admit(now)
				longest = max(longest, wait)
				if wait == 0 {
					admitted++
				}
			}
			if admitted != s.admitted || (longest-s.longest).Abs() > time.Microsecond {
				t.Errorf("%s: step %d: %d of %d let in, and %v to wait; want %d and %v", row.at, i+1, admitted, s.n, longest, s.admitted, s.longest)
			}
		}
	}
}

// arrivals is a heap of the times at which peers try, the earliest first.
type arrivals []time.Time

func (a *arrivals) Len() int           { return len(*a) }
func (a *arrivals) Less(i, j int) bool { return (*a)[i].Before((*a)[j]) }
func (a *arrivals) Swap(i, j int)      { (*a)[i], (*a)[j] = (*a)[j], (*a)[i] }
func (a *arrivals) Push(x any)         { *a = append(*a, x.(time.Time)) }
func (a *arrivals) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// TestRestartIsNotAStorm: 5,000 peers come at once and obey Retry-After. They are admitted
// at the configured rate, and few tries are in vain.
func TestRestartIsNotAStorm(t *testing.T) {
	t.Parallel()
	const peers, perSecond = 5000, 100
	a, start := newThrottle(&Capacity{HandshakesPerSecond: perSecond, HandshakeBurst: perSecond}), time.Now()
	due := arrivals{}
	for range peers {
		due = append(due, start)
	}
	admitted, tries := map[int]int{}, 0
	var end time.Duration
	for due.Len() > 0 {
		now, _ := heap.Pop(&due).(time.Time)
		tries++
		wait := a.admit(now)
		if wait == 0 {
			end = now.Sub(start)
			admitted[int(end.Seconds())]++
			continue
		}
		after, err := strconv.Atoi(protocol.AsRejectError(protocol.NewRejectError(503, "").RetryAfter(wait)).Header.Get("Retry-After"))
		if err != nil {
			t.Fatal(err)
		}
		heap.Push(&due, now.Add(time.Duration(after)*time.Second))
	}
	for second, n := range admitted {
		if n > 2*perSecond {
			t.Errorf("%d were let in within second %d, want %d", n, second, perSecond)
		}
	}
	if end > 3*peers/perSecond*time.Second || tries > 4*peers {
		t.Errorf("the last one was let in after %v, and %d tries of all; want %v and two tries each", end, tries, peers/perSecond*time.Second)
	}
	t.Logf("all are in after %v and %d tries", end, tries)
}
