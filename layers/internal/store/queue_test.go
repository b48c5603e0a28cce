package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

// queues are channels of two events, which wait for a minute, and a clock.
type queues struct {
	store.Queues

	now     time.Time
	pullers []*store.Puller
	expired []string
}

func newQueues() *queues {
	q := &queues{now: time.Unix(1000, 0)}
	q.Limit = func(string) store.Limit { return store.Limit{Capacity: 2, Expiry: time.Minute} }
	q.Expired = func(channel string, n int) { q.expired = append(q.expired, fmt.Sprint(channel, n)) }
	return q
}

// push pushes an event of a type, and says what Push returned.
func (q *queues) push(channel, typ string) string {
	if err := q.Push(channel, protocol.EventType[struct{}]{Name: typ}.New(struct{}{}), q.now); err != nil {
		return "full"
	}
	return "ok"
}

// pull starts a Pull, and says what it has at once.
func (q *queues) pull(channel string) string {
	e, p := q.Pull(channel, nil, q.now)
	if e != nil {
		return e.Type()
	}
	q.pullers = append(q.pullers, p)
	return q.result(len(q.pullers) - 1)
}

var errDismissed = errors.New("dismissed")

// result says what the nth Pull has.
func (q *queues) result(n int) string {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	waits := false
	e, err := q.pullers[n].Wait(ended, func(p *store.Puller) bool {
		waits = q.Withdraw(p)
		return waits
	})
	switch {
	case waits:
		return "waits"
	case err != nil:
		return err.Error()
	}
	return e.Type()
}

func TestQueues(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		name string
		do   func(q *queues) []string
		want []string
		left int // channels that hold something
	}{
		{testkit.Here(), "first in, first out", func(q *queues) []string {
			return []string{q.push("c", "a"), q.push("c", "b"), q.pull("c"), q.pull("c")}
		}, []string{"ok", "ok", "a", "b"}, 0},
		{testkit.Here(), "full, and other channels are not", func(q *queues) []string {
			return []string{q.push("c", "a"), q.push("c", "b"), q.push("c", "c"), q.push("d", "d"), q.pull("c"), q.push("c", "e"), q.push("c", "f")}
		}, []string{"ok", "ok", "full", "ok", "a", "ok", "full"}, 2},
		{testkit.Here(), "IsFull adds no channel", func(q *queues) []string {
			return []string{fmt.Sprint(q.IsFull("c", q.now)), q.push("c", "a"), q.push("c", "b"), fmt.Sprint(q.IsFull("c", q.now))}
		}, []string{"false", "ok", "ok", "true"}, 1},
		{testkit.Here(), "expired events make room", func(q *queues) []string {
			done := []string{q.push("c", "a")}
			q.now = q.now.Add(time.Second)
			done = append(done, q.push("c", "b"))
			q.now = q.now.Add(time.Minute - time.Second)
			return append(append(done, q.push("c", "c"), q.push("c", "d"), q.pull("c")), q.expired...)
		}, []string{"ok", "ok", "ok", "full", "b", "c1"}, 1},
		{testkit.Here(), "channels that nobody uses are swept", func(q *queues) []string {
			done := []string{q.push("c", "a"), q.push("c", "b")}
			q.now = q.now.Add(time.Minute)
			return append(append(done, q.push("d", "d"), q.pull("d")), q.expired...)
		}, []string{"ok", "ok", "ok", "d", "c2"}, 0},
		{testkit.Here(), "a Pull that gives up", func(q *queues) []string {
			return []string{q.pull("c"), q.push("c", "a"), q.pull("c")}
		}, []string{"waits", "ok", "a"}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			q := newQueues()
			if got := row.do(q); !slices.Equal(got, row.want) || q.Len() != row.left {
				t.Errorf("%s: got %q, and %d channels are left; want %q and %d", row.at, got, q.Len(), row.want, row.left)
			}
		})
	}
}

// TestQueuesOfPullers: the puller that has waited longest gets the event, and those of one
// owner can be dismissed.
func TestQueuesOfPullers(t *testing.T) {
	t.Parallel()
	q := newQueues()
	for _, owner := range []string{"a", "b", "a", "b"} {
		_, p := q.Pull("c", owner, q.now)
		q.pullers = append(q.pullers, p)
	}
	q.push("c", "first")
	q.Dismiss("a", errDismissed)
	q.push("c", "second")
	var got []string
	for n := range q.pullers {
		got = append(got, q.result(n))
	}
	if want := []string{"first", "second", "dismissed", "waits"}; !slices.Equal(got, want) || q.Len() != 0 {
		t.Errorf("the pullers have %q, want %q; %d channels are left", got, want, q.Len())
	}
	if q.Withdraw(q.pullers[0]) {
		t.Error("a puller that had an event has been withdrawn")
	}
	if err := q.Push("d", nil, q.now); err != nil {
		t.Error(err)
	}
	q.Dismiss("a", driver.ErrLayerClosed) // nobody waits
	if q.Len() != 1 {
		t.Error("Dismiss has dropped an event")
	}
}
