package queue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestReplace is what protocol.Message.Key says, each message small or large, in memory
// of its own or shared, and copied into a chunk if it has no key.
func TestReplace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		sent string // a letter is a key, a dot is none
		want string // which are left, by number
	}{
		{testkit.Here(), "ab", "0 1"},
		{testkit.Here(), "aa", "1"},
		{testkit.Here(), "abca", "3 1 2"},
		{testkit.Here(), "abcb", "0 3 2"},
		{testkit.Here(), "abcc", "0 1 3"},
		{testkit.Here(), "a.a", "1 2"},
		{testkit.Here(), ".aa.", "0 2 3"},
		{testkit.Here(), "ab.cab", "2 3 4 5"},
		{testkit.Here(), "a.ba", "1 2 3"},
		{testkit.Here(), "ab.aab", "2 4 5"},
		{testkit.Here(), "ab.ac.a", "1 2 4 5 6"},
		{testkit.Here(), "abababab", "6 7"},
		{testkit.Here(), "...", "0 1 2"},
	} {
		for choice := range 1 << (2 * len(row.sent)) {
			if choice >= 1<<6 && choice%211 != 0 { // of the long ones, some
				continue
			}
			q := queueOf(roomy)
			for i, key := range row.sent {
				s := fmt.Sprintf("%d ", i)
				if choice>>(2*i)&1 != 0 {
					s += strings.Repeat(" ", 5000)
				}
				send(t, q, strings.Trim(string(key), "."), s, choice>>(2*i)&2 != 0)
				if i == 1 {
					q.AddControl([]byte("pong "), false)
				}
			}
			written, _ := writeAll(q)
			got := strings.Join(strings.Fields(strings.Replace(written, "pong ", "", 1)), " ")
			if got != row.want {
				t.Errorf("%s: of %q in forms %b %q was written, want %q", row.at, row.sent, choice, got, row.want)
			}
			wantEmpty(t, q)
		}
	}
}

// send queues a message with or without a key.
func send(t *testing.T, q *Queue, key, s string, shared bool) {
	t.Helper()
	f := ownFrame(s)
	if shared {
		f = NewShared([]byte(s), q.Budget.Pool).Frame()
	}
	var err error
	switch {
	case key != "":
		_, err = q.Replace(key, f, nil)
	case shared:
		err = q.Add(f, nil)
	default:
		err = forms["copied"](q, s)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestReplaceStarted does not replace what is being written.
func TestReplaceStarted(t *testing.T) {
	t.Parallel()
	q := queueOf(roomy)
	send(t, q, "key", "<1>", false)
	q.Peek(2)
	for i := 2; i < 5; i++ {
		replaced, err := q.Replace("key", ownFrame(fmt.Sprintf("<%d>", i)), nil)
		if replaced != (i > 2) || err != nil {
			t.Errorf("message %d: replaced %v, %v", i, replaced, err)
		}
	}
	if got, _ := writeAll(q); got != "<1><4>" {
		t.Errorf("wrote %q", got)
	}
}

// TestReplaceGivesBack has a small message replace a large one: memory and budget are
// there for others again.
func TestReplaceGivesBack(t *testing.T) {
	t.Parallel()
	q := queueOf(roomy)
	for _, size := range []int{200 << 10, 10} {
		send(t, q, "key", strings.Repeat("x", size), false)
	}
	if used, memory := q.Budget.Used(), q.Memory(); used > chargeUnit || memory > 128+chunkSize+2*keptSizes {
		t.Errorf("a message of 10 bytes has %d of the budget, and %d of memory", used, memory)
	}
}

// TestMemoryOfOtherQueues has a queue that was emptied leave no large buffer to one that
// is used next, which would not count it.
func TestMemoryOfOtherQueues(t *testing.T) {
	t.Parallel()
	for range 20 { // the pool of states may give either
		before, q := queueOf(roomy), queueOf(roomy)
		send(t, before, "", strings.Repeat("x", 20_000), false)
		writeAll(before)
		send(t, q, "key", "x", false)
		if memory := q.Memory(); memory > 128+chunkSize+2*keptSizes {
			t.Fatalf("a message of 1 byte has %d of memory", memory)
		}
	}
}

// TestReplaceMemory has many messages with keys wait, between which lie control frames,
// and replaces them: a queue has about the memory that it counts.
func TestReplaceMemory(t *testing.T) {
	t.Parallel()
	const keys, rounds = 1000, 5
	for _, size := range []int{1, 100, 1000, 10_000} {
		q := queueOf(16 << 20)
		q.Budget.size = 16 << 20
		for round := range rounds {
			for key := range keys {
				send(t, q, fmt.Sprint(key), strings.Repeat("x", size+round), false)
				if round == 0 {
					q.AddControl([]byte("pong"), false)
				}
				if (key+round)%100 == 0 {
					send(t, q, "", "<fence>", false)
				}
			}
			if memory, counted := q.Memory(), q.queued(); memory > 3*counted {
				t.Errorf("%d bytes each, round %d: %d bytes of memory, and %d counted", size, round, memory, counted)
			}
		}
		q.Abort()
		wantEmpty(t, q)
	}
}
