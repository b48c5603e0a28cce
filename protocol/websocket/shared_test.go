package websocket

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// frameBytes is the size of the frame of a message of n bytes, as it is charged.
func frameBytes(n int) int64 { return int64(n + 14) }

// TestSharedFrameIsCharged has one message in the queues of two servers: each server is
// charged once, until the last of its queues has written or dropped it.
func TestSharedFrameIsCharged(t *testing.T) {
	t.Parallel()
	const size = 50 << 10
	ways := map[string]func(o *outbox){
		"written":  func(o *outbox) { drainBox(o) },
		"aborted":  func(o *outbox) { o.abort() },
		"dropped":  func(o *outbox) { o.dropOldest(o.budget.each) },
		"replaced": func(o *outbox) { o.conflate(keyed{key: "k", own: protocol.Text("x")}) }, //nolint:errcheck // what is charged shows it
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := protocol.Prepare(protocol.Message{Data: []byte(strings.Repeat("s", size)), Key: "k"})
			pools := []*pool{{all: roomy}, {all: roomy}}
			var queues []*outbox
			for i := range 6 {
				o := &outbox{budget: &budget{each: roomy, pool: pools[i%2]}}
				queues = append(queues, o)
				send := func() error { _, err := o.prepared(p); return err }
				if name == "replaced" {
					send = func() error { _, _, err := o.conflate(keyed{key: "k", prepared: p}); return err }
				}
				if err := send(); err != nil {
					t.Fatal(err)
				}
			}
			for i, o := range queues {
				for at, used := range pools {
					want := frameBytes(size)
					if i > 4 && at == 0 {
						want = 0
					}
					if got := used.used.Load(); got != want {
						t.Errorf("%d are over: server %d is charged %d, want %d", i, at, got, want)
					}
				}
				end(o)
			}
			for at, p := range pools {
				if got := p.used.Load(); got != 0 {
					t.Errorf("server %d is charged %d at the end", at, got)
				}
			}
		})
	}
}

// TestSharedFrameBudget sends when there is little room, or none.
func TestSharedFrameBudget(t *testing.T) {
	t.Parallel()
	const size = 10 << 10
	rows := []struct {
		at      testkit.Line
		all     int64
		first   bool // the queue has a message
		others  bool // another queue has the frame
		err     error
		refused int64
	}{
		{testkit.Here(), frameBytes(size), true, false, nil, 0},
		{testkit.Here(), frameBytes(size) - 1, true, false, protocol.ErrQueueFull, 1},
		{testkit.Here(), frameBytes(size) - 1, false, false, nil, 0}, // one message always fits
		{testkit.Here(), 0, true, true, nil, 0},                      // it is there already, and costs nothing
	}
	for _, row := range rows {
		b := &budget{each: roomy, pool: &pool{all: row.all}}
		p := protocol.Prepare(protocol.Text(strings.Repeat("s", size)))
		if row.others {
			if _, err := (&outbox{budget: b}).prepared(p); err != nil {
				t.Fatal(err)
			}
		}
		o := &outbox{budget: b}
		if row.first {
			addText(t, o, "one's own")
		}
		if _, err := o.prepared(p); !errors.Is(err, row.err) || b.refused.Load() != row.refused {
			t.Errorf("%s: got %v and %d refused, want %v and %d", row.at, err, b.refused.Load(), row.err, row.refused)
		}
	}
}

// TestSharedFrameReplaces has a large message with a key replaced when the budget is
// used up by it: it makes room for its successor.
func TestSharedFrameReplaces(t *testing.T) {
	t.Parallel()
	const size = 10 << 10
	o := &outbox{budget: &budget{each: roomy, pool: &pool{all: frameBytes(size)}}}
	addText(t, o, "one's own")
	for range 3 {
		p := protocol.Prepare(protocol.Message{Data: make([]byte, size), Key: "k"})
		if _, _, err := o.conflate(keyed{key: "k", prepared: p}); err != nil {
			t.Error(err)
		}
	}
	p := protocol.Prepare(protocol.Message{Data: make([]byte, size+1), Key: "k"})
	if _, conflated, err := o.conflate(keyed{key: "k", prepared: p}); conflated || !errors.Is(err, protocol.ErrQueueFull) {
		t.Errorf("a larger one: conflated %v, %v, want ErrQueueFull", conflated, err)
	}
	if got := o.budget.used.Load(); got != frameBytes(size) {
		t.Errorf("%d charged, want %d", got, frameBytes(size))
	}
}

// TestDropOldestSharedBudget drops large messages until there is room in the budget,
// and no more; none if that would not help.
func TestDropOldestSharedBudget(t *testing.T) {
	t.Parallel()
	const size = 10 << 10
	fill := func(o *outbox) {
		for {
			if _, err := o.prepared(protocol.Prepare(protocol.Text(strings.Repeat("s", size)))); err != nil {
				return
			}
		}
	}
	o := &outbox{budget: &budget{each: roomy, pool: &pool{all: 5 * frameBytes(size)}}}
	fill(o)
	if n := o.dropOldest(size + 14); n != 1 {
		t.Errorf("dropped %d, want 1", n)
	}
	fill(o)
	if got := o.budget.used.Load(); got != 5*frameBytes(size) {
		t.Errorf("%d charged, want %d", got, 5*frameBytes(size))
	}
	taken := o.take(nil)
	o.budget.used.Add(10 * frameBytes(size)) // others take it
	fill(o)
	if n := o.dropOldest(size + 14); n != 0 || len(taken) == 0 {
		t.Errorf("dropped %d, which did not help", n)
	}
}

// TestSharedFrameConcurrently takes and gives up places from many goroutines.
func TestSharedFrameConcurrently(t *testing.T) {
	t.Parallel()
	p := &pool{all: 3 * frameBytes(1000)}
	f, _ := newSharedFrame(p, protocol.Text(strings.Repeat("s", 1000))).(*sharedFrame)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 5000 {
				if f.hold(i%2 == 0) {
					f.drop()
				}
			}
		})
	}
	all.Wait()
	if p.used.Load() != 0 || f.places.Load() != 0 {
		t.Errorf("%d charged, %d places at the end", p.used.Load(), f.places.Load())
	}
}
