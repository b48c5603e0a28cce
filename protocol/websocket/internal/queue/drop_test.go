package queue

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

func TestDropOldest(t *testing.T) {
	t.Parallel()
	q := queueOf(100)
	for _, s := range []string{"<one", "<two", "<three"} {
		add(t, q, s+strings.Repeat(".", 25)+">")
	}
	q.AddControl([]byte("(pong)"), false)
	if n := q.DropOldest(90); n != 3 {
		t.Errorf("dropped %d, want all three", n)
	}
	add(t, q, "<four"+strings.Repeat(".", 80)+">")
	addShared(t, q, "<five>")
	if n := q.DropOldest(10); n != 1 {
		t.Errorf("dropped %d, want one", n)
	}
	add(t, q, "<six>")
	if n := q.DropOldest(10); n != 0 {
		t.Errorf("dropped %d although there is room", n)
	}
	if got, _ := writeAll(q); got != "(pong)<five><six>" {
		t.Errorf("wrote %q", got)
	}
	wantEmpty(t, q)
}

// TestDropOldestOrder drops from queues of all forms: control frames keep their order,
// and what is left stands behind those that were passed. A letter is a message of ten
// bytes in a chunk, a capital one in memory of its own, a digit a control frame, a bar
// has a writer start what is before it.
func TestDropOldestOrder(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at    testkit.Line
		queue string
		room  int // for so many messages
		want  string
	}{
		{testkit.Here(), "ab", 1, "b"},
		{testkit.Here(), "a1b", 1, "1b"},
		{testkit.Here(), "1a2b", 1, "12b"},
		{testkit.Here(), "1a2b3", 2, "123"},
		{testkit.Here(), "1A2B3", 1, "12B3"},
		{testkit.Here(), "1A2b3C4d5", 3, "1234d5"},
		{testkit.Here(), "1A2b3C4d5", 4, "12345"},
		{testkit.Here(), "a1|b2c", 1, "a12c"},
		{testkit.Here(), "1|b2c3D", 2, "123D"},
		{testkit.Here(), "A|B", 1, "A"},
		{testkit.Here(), "A|1B", 1, "A1"},
		{testkit.Here(), "A|B", 2, "AB"}, // would not help
		{testkit.Here(), "a|", 1, "a"},
		{testkit.Here(), "12", 1, "12"},
	} {
		q := queueOf(roomy)
		messages := 0
		for _, c := range row.queue {
			switch {
			case c == '|':
				q.Peek(most)
				continue
			case c <= '9':
				q.AddControl([]byte{byte(c)}, false)
				continue
			case c <= 'Z':
				if err := q.Add(ownFrame(strings.Repeat(string(c), 10)), nil); err != nil {
					t.Fatal(err)
				}
			default:
				add(t, q, strings.Repeat(string(c), 10))
			}
			messages++
		}
		q.Budget.Each = 10 * messages
		q.DropOldest(10 * row.room)
		got, _ := writeAll(q)
		short := strings.Builder{}
		for i := 0; i < len(got); i++ {
			short.WriteByte(got[i])
			if got[i] > '9' {
				i += 9
			}
		}
		if short.String() != row.want {
			t.Errorf("%s: %q is left of %q, want %q", row.at, short.String(), row.queue, row.want)
		}
		wantEmpty(t, q)
	}
}

// TestDropOldestKeepsLittle drops chunks that have a control frame each, again and
// again: the control frames do not keep the memory of the messages.
func TestDropOldestKeepsLittle(t *testing.T) {
	t.Parallel()
	q := queueOf(200 << 10)
	for range 300 {
		for range 11 {
			for forms["copied"](q, strings.Repeat("a", 6000)) != nil {
				q.DropOldest(6000)
			}
		}
		q.AddControl([]byte("(pong)"), false)
		if n := q.Memory(); n > 500<<10 {
			t.Fatalf("%d bytes pending take %d", q.Pending(), n)
		}
	}
}

// TestDropOldestLeavesWhatIsWritten drops nothing that is started.
func TestDropOldestLeavesWhatIsWritten(t *testing.T) {
	t.Parallel()
	q := queueOf(50)
	add(t, q, strings.Repeat("a", 45))
	q.Peek(10)
	if n := q.DropOldest(40); n != 0 {
		t.Errorf("dropped %d of what is being written", n)
	}
	if err := forms["copied"](q, strings.Repeat("b", 40)); !errors.Is(err, protocol.ErrQueueFull) {
		t.Errorf("got %v, want ErrQueueFull", err)
	}
	q.Advance(10, nil)
	if n := q.DropOldest(40); n != 0 {
		t.Errorf("dropped %d of what is written in part", n)
	}
	q.Peek(most)
	q.Advance(35, nil)
	add(t, q, strings.Repeat("b", 40))
	if got, _ := writeAll(q); got[0] != 'b' {
		t.Errorf("wrote %q", got)
	}
}

// TestPool refuses what is not there, unless it must be.
func TestPool(t *testing.T) {
	t.Parallel()
	b := &Budget{Each: 1 << 20, Pool: NewPool(40 << 10)}
	first, second, third := &Queue{Budget: b}, &Queue{Budget: b}, &Queue{Budget: b}
	for _, q := range []*Queue{first, second, third} {
		add(t, q, strings.Repeat("a", 4000)) // FreeBytes are not charged
	}
	if n := b.Used(); n != 0 {
		t.Errorf("%d used, want none", n)
	}
	add(t, first, strings.Repeat("a", 36<<10))
	add(t, second, strings.Repeat("a", 1000))
	if err := forms["copied"](third, strings.Repeat("a", 1000)); !errors.Is(err, protocol.ErrQueueFull) {
		t.Errorf("got %v, want ErrQueueFull", err)
	}
	if b.Refused() != 1 {
		t.Errorf("%d refusals counted, want 1", b.Refused())
	}
	writeAll(first)
	add(t, third, strings.Repeat("a", 1000))
	writeAll(third)
	add(t, third, strings.Repeat("a", 1<<20)) // the first message always fits
	third.Abort()
	writeAll(second)
	if n := b.Used(); n != 0 {
		t.Errorf("%d used when all is written", n)
	}
}

// TestDropOldestInVain keeps what waits if the new message cannot fit anyway.
func TestDropOldestInVain(t *testing.T) {
	t.Parallel()
	q := queueOf(100 << 10)
	add(t, q, strings.Repeat("a", 70<<10))
	q.Peek(most)
	for range 20 {
		add(t, q, strings.Repeat("b", 1000))
	}
	if n := q.DropOldest(31 << 10); n != 0 {
		t.Errorf("dropped %d, although what is being written leaves no room", n)
	}
	q.Advance(70<<10, nil)
	if n := q.DropOldest(90 << 10); n == 0 {
		t.Error("dropped nothing, although that would help")
	}
}

// TestCharges charges what is a queue's own, and what queues share once for all of them,
// and refunds what is no longer needed.
func TestCharges(t *testing.T) {
	t.Parallel()
	b := &Budget{Each: 1 << 20, Pool: NewPool(1 << 20)}
	shared := NewShared(make([]byte, 100<<10), b.Pool)
	queues := make([]*Queue, 50)
	for i := range queues {
		queues[i] = &Queue{Budget: b}
		for range 5 {
			if err := queues[i].Add(shared.Frame(), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := b.Used(); n != 100<<10 {
		t.Errorf("%d used by one message that all share", n)
	}
	for _, q := range queues {
		q.Abort()
	}
	if n := b.Used(); n != 0 {
		t.Errorf("%d used when nobody has it any more", n)
	}
	q := &Queue{Budget: b}
	for range 9 {
		if err := q.Add(NewFrame(90<<10), nil); err != nil {
			t.Fatal(err)
		}
	}
	peak := b.Used()
	for range 8 {
		q.Peek(90 << 10)
		q.Advance(90<<10, nil)
	}
	if n := b.Used(); peak < 700<<10 || n > 200<<10 {
		t.Errorf("%d used at the peak and %d when an eighth is left", peak, n)
	}
}

// TestDropOldestShared drops no more than it must when the pool is used up: what is
// shared needs none of it.
func TestDropOldestShared(t *testing.T) {
	t.Parallel()
	b := &Budget{Each: 1 << 20, Pool: NewPool(8 << 10)}
	b.used.Store(8 << 10) // others have it
	q := &Queue{Budget: b}
	shared := NewShared(make([]byte, 10<<10), b.Pool)
	for i := range 2 { // the second time while somebody writes
		for q.Add(shared.Frame(), nil) == nil {
			continue
		}
		if n := q.DropOldest(10 << 10); n != 1 {
			t.Errorf("round %d: dropped %d, want 1", i, n)
		}
		if err := q.Add(shared.Frame(), nil); err != nil {
			t.Errorf("round %d: %v", i, err)
		}
		q.Peek(20 << 10)
	}
}

// TestDropOldestForThePool drops messages whose keys cost more of the pool than the
// messages do, while another is being written.
func TestDropOldestForThePool(t *testing.T) {
	t.Parallel()
	const waiting = 40
	q := &Queue{Budget: &Budget{Each: roomy, Pool: NewPool(2 * chargeUnit)}}
	add(t, q, strings.Repeat("w", 3000))
	q.Peek(most)
	for i := range waiting {
		if _, err := q.Replace(fmt.Sprint(i), ownFrame("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	next := strings.Repeat("n", 7000)
	if err := forms["copied"](q, next); !errors.Is(err, protocol.ErrQueueFull) {
		t.Fatalf("the pool has room: %v", err)
	}
	dropped := q.DropOldest(len(next))
	if err := forms["copied"](q, next); dropped == 0 || dropped == waiting || err != nil {
		t.Errorf("%d of %d dropped, and then: %v", dropped, waiting, err)
	}
}
