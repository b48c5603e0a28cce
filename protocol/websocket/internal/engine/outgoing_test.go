package engine

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

// outgoingOf returns an outgoing queue by itself.
func outgoingOf(each int) *outgoing {
	o := &outgoing{}
	o.mu.queue.Budget = &queue.Budget{Each: each, Pool: queue.NewPool(1 << 20)}
	return o
}

// add queues a message.
func add(t *testing.T, o *outgoing, text string) (write bool) {
	t.Helper()
	write, err := o.copyMessage(nil, ws.OpText, []byte(text), len(text))
	if err != nil {
		t.Fatal(err)
	}
	return write
}

// write is what the owner of the right to write does.
func write(o *outgoing) (written string) {
	for more := true; more; {
		n := 0
		for _, p := range o.peek() {
			n += len(p)
			written += string(p)
		}
		more = o.wrote(n, nil).more
	}
	return written
}

// TestOutgoingOwner makes sure that exactly one adder gets the right to write, until the
// writer has given it up.
func TestOutgoingOwner(t *testing.T) {
	t.Parallel()
	o := outgoingOf(1 << 20)
	if !add(t, o, "1") {
		t.Error("the first adder did not get the right to write")
	}
	if add(t, o, "2") || o.addControl([]byte("p"), false) || o.offerControl([]byte("o")) || o.claim() {
		t.Error("a second one got it")
	}
	if got := write(o); got != "\x81\x011\x81\x012po" {
		t.Errorf("wrote %q", got)
	}
	if o.claim() {
		t.Error("there is nothing to write, and it was claimed")
	}
	if !o.addControl([]byte("p"), false) {
		t.Error("the writer has given up, and the adder did not get the right")
	}
	o = &outgoing{}
	o.open(&queue.Budget{Each: 1 << 20, Pool: queue.NewPool(1 << 20)}, []byte("answer"))
	if add(t, o, "3") {
		t.Error("an adder got the right to write the answer")
	}
	if got := write(o); got != "answer\x81\x013" {
		t.Errorf("wrote %q", got)
	}
}

// TestOutgoingBatch goes through what may happen while the reader runs callbacks.
func TestOutgoingBatch(t *testing.T) {
	t.Parallel()
	type step struct {
		do   func(o *outgoing) (write bool)
		want bool
	}
	small := func(o *outgoing) bool {
		w, err := o.copyMessage(nil, ws.OpText, []byte("m"), 1)
		return err == nil && w
	}
	large := func(o *outgoing) bool {
		w, _, err := o.addFrame(nil, "", queue.NewFrame(maxPeek), 0)
		return err == nil && w
	}
	start := func(o *outgoing) bool { o.startBatch(); return false }
	end := func(o *outgoing) bool {
		pieces, w := o.endBatch(true)
		return w && len(pieces) > 0
	}
	endUnread := func(o *outgoing) bool {
		pieces, w := o.endBatch(false)
		return w && pieces == nil
	}
	written := func(o *outgoing) bool { write(o); return false }
	claim := (*outgoing).claim
	for _, row := range []struct {
		at    testkit.Line
		steps []step
	}{
		{testkit.Here(), []step{{start, false}, {end, false}, {small, true}}},
		{testkit.Here(), []step{{start, false}, {small, false}, {small, false}, {end, true}, {small, false}, {written, false}, {small, true}}},
		{testkit.Here(), []step{{start, false}, {small, false}, {endUnread, true}, {small, false}}},
		// Much is not left to the end.
		{testkit.Here(), []step{{start, false}, {small, false}, {large, true}, {large, false}, {end, false}}},
		// A writer is active, and gives up within the batch.
		{testkit.Here(), []step{{small, true}, {start, false}, {small, false}, {end, false}}},
		{testkit.Here(), []step{{small, true}, {start, false}, {small, false}, {written, false}, {small, false}, {end, true}}},
		// It takes long.
		{testkit.Here(), []step{{start, false}, {claim, false}, {small, false}, {claim, true}, {claim, false}, {small, false}, {end, false}}},
		{testkit.Here(), []step{{start, false}, {small, false}, {claim, true}, {written, false}, {small, false}, {end, true}}},
	} {
		o := outgoingOf(1 << 20)
		for i, s := range row.steps {
			if got := s.do(o); got != s.want {
				t.Errorf("%s: step %d: write %v, want %v", row.at, i, got, s.want)
			}
		}
	}
}

// TestOutgoingLeavesNothing has many add while one ends batches: all is written, by one
// writer at a time.
func TestOutgoingLeavesNothing(t *testing.T) {
	t.Parallel()
	const adders, each = 4, 500
	o := outgoingOf(1 << 20)
	var all, writers sync.WaitGroup
	var active, bytes atomic.Int64
	writing := func() {
		if active.Add(1) > 1 {
			t.Error("two writers at a time")
		}
		for {
			n := 0
			for _, p := range o.peek() {
				n += len(p)
			}
			bytes.Add(int64(n))
			active.Add(-1) // before it may be another one's
			if !o.wrote(n, nil).more {
				return
			}
			active.Add(1)
		}
	}
	for range adders {
		all.Go(func() {
			for range each {
				if add(t, o, "message") {
					writers.Go(writing)
				}
			}
		})
	}
	all.Go(func() {
		for range each {
			o.startBatch()
			if add(t, o, "message") {
				writers.Go(writing)
			}
			if _, write := o.endBatch(false); write {
				writing()
			}
		}
	})
	all.Wait()
	writers.Wait()
	if want := int64((adders + 1) * each * (2 + len("message"))); bytes.Load() != want || o.pending() != 0 {
		t.Errorf("%d bytes written and %d pending, want %d", bytes.Load(), o.pending(), want)
	}
}

// TestOutgoingCounts counts messages that are queued, and nothing else.
func TestOutgoingCounts(t *testing.T) {
	t.Parallel()
	o := outgoingOf(1000)
	add(t, o, "1234")
	o.addControl([]byte("ping"), false)
	for _, size := range []int{500, 501} {
		f := queue.NewFrame(size + 4)
		if _, replaced, err := o.addFrame(nil, "key", f, size); replaced != (size > 500) || err != nil {
			t.Errorf("replaced %v, %v", replaced, err)
		}
	}
	if _, _, err := o.addFrame(nil, "", queue.NewFrame(900), 896); !errors.Is(err, protocol.ErrQueueFull) {
		t.Errorf("got %v, want ErrQueueFull", err)
	}
	p := protocol.Prepare(protocol.Text(strings.Repeat("x", 100)))
	if _, err := o.addShared(nil, sharedFrame(p, o.mu.queue.Budget.Pool), p.Len()); err != nil {
		t.Error(err)
	}
	if messages, bytes := o.sent(); messages != 4 || bytes != 4+500+501+100 {
		t.Errorf("%d messages of %d bytes were counted", messages, bytes)
	}
}
