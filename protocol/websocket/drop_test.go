package websocket

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// frames takes whole frames of ours apart, into their payloads.
func frames(t *testing.T, b string) (payloads []string) {
	t.Helper()
	for b != "" {
		it, rest, err := frametest.ReadServerFrame([]byte(b))
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, it.Data)
		b = string(rest)
	}
	return payloads
}

func TestOutboxDropOldest(t *testing.T) {
	t.Parallel()
	o := boxOf(100)
	o.hold()
	for _, s := range []string{"one", "two", "three"} {
		addText(t, o, s+strings.Repeat(".", 25))
	}
	o.control(false, frame.Append(nil, 0xa, []byte("pong")))
	if n := o.dropOldest(90); n != 3 {
		t.Errorf("dropped %d, want all three", n)
	}
	addText(t, o, "four"+strings.Repeat(".", 80))
	addPrepared(t, o, "five")
	if n := o.dropOldest(10); n != 1 {
		t.Errorf("dropped %d, want one", n)
	}
	addText(t, o, "six")
	if n := o.dropOldest(10); n != 0 {
		t.Errorf("dropped %d although there is room", n)
	}
	written, _ := drainBox(o)
	if got := frames(t, written); !slices.Equal(got, []string{"pong", "five", "six"}) {
		t.Errorf("wrote %q", got)
	}
	if o.mu.queued != 0 || o.mu.pending != 0 || o.mu.charged != 0 || o.budget.used.Load() != 0 {
		t.Errorf("left behind: %d queued, %d pending, %d charged, %d used", o.mu.queued, o.mu.pending, o.mu.charged, o.budget.used.Load())
	}
}

// TestOutboxDropOldestLeavesWhatIsWritten drops nothing that its writer has.
func TestOutboxDropOldestLeavesWhatIsWritten(t *testing.T) {
	t.Parallel()
	o := boxOf(50)
	o.hold()
	addText(t, o, strings.Repeat("a", 45))
	taken := o.take(nil)
	if n := o.dropOldest(40); n != 0 {
		t.Errorf("dropped %d of what is being written", n)
	}
	if _, err := o.message(protocol.Text(strings.Repeat("b", 40))); !errors.Is(err, protocol.ErrQueueFull) {
		t.Errorf("got %v, want ErrQueueFull", err)
	}
	o.wrote(sizeOf(taken))
	addText(t, o, strings.Repeat("b", 40))
	if got, _ := drainBox(o); frames(t, got)[0][0] != 'b' {
		t.Errorf("wrote %q", got)
	}
}

// TestOutboxAtRandom sends, drops and writes at random. What comes out is what
// went in without what was dropped, the oldest first, in order and whole.
func TestOutboxAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range testkit.Count[uint64](60, 12) {
		random := rand.New(rand.NewPCG(seed, 0))
		o := boxOf(1 + random.IntN(200<<10))
		o.budget.all = int64(random.IntN(200 << 10))
		o.hold()
		var written strings.Builder
		sent, dropped := 0, 0
		var done []segment
		for range 400 {
			size := []int{0, 20, 300, 3000, 9000, 70_000}[random.IntN(6)]
			m := protocol.Text(fmt.Sprintf("%d %s", sent, strings.Repeat("x", size)))
			var err error
			switch random.IntN(5) {
			case 0:
				o.control(false, frame.Append(nil, 0xa, []byte("pong")))
				continue
			case 1:
				done = writeSome(o, done, &written)
				continue
			case 2, 3:
				_, err = o.message(m)
			default:
				_, err = o.prepared(protocol.Prepare(m))
			}
			switch {
			case err == nil:
				sent++
			case errors.Is(err, protocol.ErrQueueFull):
				dropped += o.dropOldest(len(m.Data) + 10)
			default:
				t.Fatalf("seed %d: %v", seed, err)
			}
			checkBox(t, seed, o)
		}
		for o.busy() {
			done = writeSome(o, done, &written)
		}
		checkOrder(t, seed, frames(t, written.String()), sent, dropped)
		if n := o.budget.used.Load(); n != 0 {
			t.Fatalf("seed %d: %d bytes of the budget are not given back", seed, n)
		}
	}
}

// writeSome takes and writes once, as a holder does.
func writeSome(o *outbox, done []segment, to *strings.Builder) []segment {
	taken := o.take(done)
	o.hold()
	for _, s := range taken {
		to.Write(s.bytes())
	}
	n := sizeOf(taken)
	recycle(taken)
	o.wrote(n)
	return taken
}

// checkBox compares the counts with what there is.
func checkBox(t *testing.T, seed uint64, o *outbox) {
	t.Helper()
	n := sizeOf(o.mu.segments)
	switch {
	case n.all != o.mu.pending || n.ofQueue != o.mu.queued:
		t.Fatalf("seed %d: there are %+v, counted %d and %d", seed, n, o.mu.pending, o.mu.queued)
	case int64(o.mu.charged+n.held) != o.budget.used.Load() || n.own != o.mu.own || o.mu.own > o.mu.charged+freeBytes+10: // the last header
		t.Fatalf("seed %d: %d queued, %d charged, %d used", seed, o.mu.queued, o.mu.charged, o.budget.used.Load())
	}
}

// checkOrder wants messages in order, less those that were dropped.
func checkOrder(t *testing.T, seed uint64, got []string, sent, dropped int) {
	t.Helper()
	last, n := -1, 0
	for _, payload := range got {
		if payload == "pong" {
			continue
		}
		var number int
		if _, err := fmt.Sscan(payload, &number); err != nil || number <= last || number >= sent {
			t.Fatalf("seed %d: %.20q follows %d of %d", seed, payload, last, sent)
		}
		last, n = number, n+1
	}
	if n != sent-dropped {
		t.Fatalf("seed %d: %d came out of %d sent and %d dropped", seed, n, sent, dropped)
	}
}

// TestBudget refuses what is not there, unless it must be.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := &budget{each: 1 << 20, pool: &pool{all: 40 << 10}}
	first, second, third := &outbox{budget: b}, &outbox{budget: b}, &outbox{budget: b}
	for _, o := range []*outbox{first, second, third} {
		o.hold()
		addText(t, o, strings.Repeat("a", 4000)) // the first 4 KiB are free
	}
	if n := b.used.Load(); n != 0 {
		t.Errorf("%d used, want none", n)
	}
	addText(t, first, strings.Repeat("a", 36<<10))
	addText(t, second, strings.Repeat("a", 1000))
	if _, err := third.message(protocol.Text(strings.Repeat("a", 1000))); !errors.Is(err, protocol.ErrQueueFull) {
		t.Errorf("got %v, want ErrQueueFull", err)
	}
	if b.refused.Load() != 1 {
		t.Errorf("%d refusals counted, want 1", b.refused.Load())
	}
	drainBox(first)
	addText(t, third, strings.Repeat("a", 1000))
	drainBox(third)
	third.hold()
	addText(t, third, strings.Repeat("a", 1<<20)) // the first message always fits
	third.abort()
	drainBox(second)
	if n := b.used.Load(); n != 0 {
		t.Errorf("%d used when all is written", n)
	}
}

// TestOutboxDropsNothingInVain keeps what waits if the new message cannot fit
// anyway, or nothing can be sent any more.
func TestOutboxDropsNothingInVain(t *testing.T) {
	t.Parallel()
	o := boxOf(100 << 10)
	o.hold()
	addText(t, o, strings.Repeat("a", 70<<10))
	taken := o.take(nil)
	for range 20 {
		addText(t, o, strings.Repeat("b", 1000))
	}
	if n := o.dropOldest(31 << 10); n != 0 {
		t.Errorf("dropped %d, although what is being written leaves no room", n)
	}
	o.wrote(sizeOf(taken))
	if n := o.dropOldest(90 << 10); n == 0 {
		t.Error("dropped nothing, although that would help")
	}
	o.control(true, frame.AppendClose(nil, protocol.CloseStatus{Code: 1000}))
	if n := o.dropOldest(100 << 10); n != 0 {
		t.Errorf("dropped %d behind the close", n)
	}
}

// TestOutboxHandsOver has somebody else write when much was sent in one turn.
func TestOutboxHandsOver(t *testing.T) {
	t.Parallel()
	o := boxOf(1 << 20)
	o.hold()
	handed := 0
	for range 200 {
		if addText(t, o, strings.Repeat("a", 1<<10)) {
			handed++
		}
	}
	if handed != 1 {
		t.Errorf("%d senders were told to write, want one", handed)
	}
	if _, mine := o.takeTurn(); mine {
		t.Error("the one who reads writes as well")
	}
	drainBox(o)
	o.hold()
	addText(t, o, "little")
	if segments, mine := o.takeTurn(); !mine || len(segments) != 1 {
		t.Errorf("mine %v, %d segments, want mine and one", mine, len(segments))
	}
}

// TestOutboxCharges what is a queue's own, and what queues share once for all of them,
// and gives back what it does not need any more.
func TestOutboxCharges(t *testing.T) {
	t.Parallel()
	b := &budget{each: 1 << 20, pool: &pool{all: 1 << 20}}
	shared := protocol.Prepare(protocol.Text(strings.Repeat("s", 100<<10)))
	queues := make([]*outbox, 50)
	for i := range queues {
		o := &outbox{budget: b}
		queues[i] = o
		for range 5 {
			if _, err := o.prepared(shared); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := b.used.Load(); n < 100<<10 || n > 101<<10 {
		t.Errorf("%d used by one message that all share", n)
	}
	for _, o := range queues {
		o.abort()
	}
	if n := b.used.Load(); n != 0 {
		t.Errorf("%d used when nobody has it any more", n)
	}
	o := &outbox{budget: b}
	for range 9 {
		addText(t, o, strings.Repeat("a", 90<<10))
	}
	peak := b.used.Load()
	o.wrote(size{all: 720 << 10, ofQueue: 720 << 10, own: 720 << 10})
	if n := b.used.Load(); peak < 700<<10 || n > 200<<10 {
		t.Errorf("%d used at the peak and %d when an eighth is left", peak, n)
	}
}

// TestOutboxMemoryIsCounted alternates small messages and pongs: they share
// memory.
func TestOutboxMemoryIsCounted(t *testing.T) {
	t.Parallel()
	o := boxOf(1 << 20)
	for range 10_000 {
		addText(t, o, "")
		o.offer(frame.Append(nil, 0xa, nil))
	}
	memory := 0
	for _, s := range o.mu.segments {
		memory += cap(s.own.B)
	}
	if memory > 10*o.mu.pending {
		t.Errorf("%d bytes pending take %d", o.mu.pending, memory)
	}
}

// TestOutboxDropsSharedOnes drops no more than it must when the budget is used up:
// what is shared needs none of it.
func TestOutboxDropsSharedOnes(t *testing.T) {
	t.Parallel()
	b := &budget{each: 1 << 20, pool: &pool{all: 8 << 10}}
	b.used.Store(8 << 10) // others have it
	o := &outbox{budget: b}
	p := protocol.Prepare(protocol.Binary(make([]byte, 10<<10)))
	for i := range 2 { // the second time while somebody writes
		for {
			if _, err := o.prepared(p); err != nil {
				break
			}
		}
		if n := o.dropOldest(p.Len() + 14); n != 1 {
			t.Errorf("round %d: dropped %d, want 1", i, n)
		}
		if _, err := o.prepared(p); err != nil {
			t.Errorf("round %d: %v", i, err)
		}
		o.take(nil)
	}
}
