package websocket

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// line is a message: with a key, or "".
type line struct{ key, text string }

// addLine adds l to o, as Send or as SendPrepared does.
func addLine(o *outbox, l line, prepared bool) (err error) {
	m := protocol.Message{Data: []byte(l.text), Key: l.key}
	switch {
	case prepared && l.key != "":
		_, _, err = o.conflate(keyed{key: l.key, prepared: protocol.Prepare(m)})
	case prepared:
		_, err = o.prepared(protocol.Prepare(m))
	case l.key != "":
		_, _, err = o.conflate(keyed{key: l.key, own: m})
		clear(m.Data) // nobody keeps it
	default:
		_, err = o.message(m)
	}
	return err
}

// TestOutboxConflates is what Message.Key says, each message small or large, of
// the connection's own or shared.
func TestOutboxConflates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
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
		for forms := range 1 << (2 * len(test.sent)) {
			if forms >= 1<<6 && forms%211 != 0 { // of the long ones, some
				continue
			}
			o := boxOf(roomy)
			o.hold()
			for i, key := range test.sent {
				l := line{strings.Trim(string(key), "."), fmt.Sprint(i)}
				if forms>>(2*i)&1 != 0 {
					l.text += strings.Repeat(" ", 5000)
				}
				if err := addLine(o, l, forms>>(2*i)&2 != 0); err != nil {
					t.Fatalf("%s: %v", test.at, err)
				}
				if i == 1 {
					o.control(false, frame.Append(nil, 0xa, []byte("pong")))
				}
			}
			written, _ := drainBox(o)
			got := slices.DeleteFunc(frames(t, written), func(s string) bool { return s == "pong" })
			for i := range got {
				got[i] = strings.TrimSpace(got[i])
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("%s: of %q in forms %b %q was written, want %q", test.at, test.sent, forms, s, test.want)
			}
			if o.mu.queued != 0 || o.mu.pending != 0 || o.mu.own != 0 || o.budget.used.Load() != 0 {
				t.Errorf("%s: left behind: %d queued, %d pending, %d own", test.at, o.mu.queued, o.mu.pending, o.mu.own)
			}
		}
	}
}

// TestOutboxDropsKeysForTheBudget drops messages whose keys cost more of the budget
// than the messages do, while another is being written.
func TestOutboxDropsKeysForTheBudget(t *testing.T) {
	t.Parallel()
	const waiting = 40
	o := boxOf(roomy)
	o.budget.all = 2 * chargeUnit
	o.hold()
	addText(t, o, strings.Repeat("w", 3000))
	o.take(nil)
	for i := range waiting {
		if err := addLine(o, line{fmt.Sprint(i), "x"}, false); err != nil {
			t.Fatal(err)
		}
	}
	next := protocol.Text(strings.Repeat("n", 7000))
	if _, err := o.message(next); !errors.Is(err, protocol.ErrQueueFull) {
		t.Fatalf("the budget has room: %v", err)
	}
	dropped := o.dropOldest(len(next.Data))
	if _, err := o.message(next); dropped == 0 || dropped == waiting || err != nil {
		t.Errorf("%d of %d dropped, and then: %v", dropped, waiting, err)
	}
}

// TestAllocConflate is about a key whose messages replace each other, and one that
// waits and is written, again and again.
func TestAllocConflate(t *testing.T) {
	o := boxOf(roomy)
	o.hold()
	m := protocol.Message{Data: make([]byte, 64), Key: "key"}
	small, large := protocol.Prepare(m), protocol.Prepare(protocol.Message{Data: make([]byte, 5000), Key: "key"})
	for name, frame := range map[string]keyed{
		"own": {key: "key", own: m}, "shared": {key: "key", prepared: small}, "large": {key: "key", prepared: large},
	} {
		var done []segment
		wantNoAllocs(t, name, func() {
			for range 3 {
				if _, _, err := o.conflate(frame); err != nil {
					t.Fatal(err)
				}
			}
			done = o.take(done)
			o.wrote(sizeOf(done))
			if own := done[0].own; own != nil {
				own.Release()
			}
		})
	}
}

// TestOutboxConflatingGivesBack has a small message replace a large one: memory
// and budget are there for others again.
func TestOutboxConflatingGivesBack(t *testing.T) {
	t.Parallel()
	o := boxOf(roomy)
	o.hold()
	for _, size := range []int{200 << 10, 10} {
		if err := addLine(o, line{"key", strings.Repeat("x", size)}, false); err != nil {
			t.Fatal(err)
		}
	}
	if n, c := o.budget.used.Load(), cap(o.mu.segments[0].own.B); n > chargeUnit || c > bytespool.MaxRecycled {
		t.Errorf("a message of 10 bytes has %d of the budget, and %d of memory", n, c)
	}
}

// TestOutboxConflatingKeepsFewChunks has messages change their form, and leave their
// places for the end of the queue but for a few: chunks stay as few as they would be
// without that, so that a queue has the memory it counts and a place in it is found
// soon.
func TestOutboxConflatingKeepsFewChunks(t *testing.T) {
	t.Parallel()
	const keys, rounds = 300, 12
	send := func(o *outbox, key, size int, prepared bool) {
		t.Helper()
		if err := addLine(o, line{fmt.Sprint(key), strings.Repeat("x", size)}, prepared); err != nil {
			t.Fatal(err)
		}
	}
	for name, round := range map[string]func(o *outbox, round int){
		"another form": func(o *outbox, _ int) {
			for _, size := range []int{copyBelow, 100} {
				for key := range keys {
					send(o, key*7%keys, size, true)
				}
			}
		},
		"a few stay": func(o *outbox, round int) {
			addText(t, o, "fence")
			for key := range keys {
				if key%rounds != round {
					send(o, key, 100, false)
				}
			}
		},
	} {
		o := boxOf(10 << 20)
		o.budget.all = 10 << 20
		o.hold()
		for key := range keys {
			send(o, key, 100, false)
		}
		for i := range rounds {
			round(o, i)
		}
		if n, most := len(o.mu.segments), 2*o.mu.pending/keyedChunk+2; n > most {
			t.Errorf("%s: %d bytes are in %d chunks, want %d at the most", name, o.mu.pending, n, most)
		}
	}
}

// TestOutboxConflatingBehindDropped has the first message that is left in a chunk
// change its form and back, so that the chunk is joined to a new one.
func TestOutboxConflatingBehindDropped(t *testing.T) {
	t.Parallel()
	o := boxOf(roomy)
	o.hold()
	send := func(key, text string, prepared bool) {
		t.Helper()
		if err := addLine(o, line{key, text}, prepared); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a", "b", "c"} {
		send(key, key+"1", false)
	}
	o.budget.each = o.mu.queued
	if n := o.dropOldest(1); n != 1 {
		t.Fatalf("%d dropped", n)
	}
	o.budget.each = roomy
	send("b", strings.Repeat("b", copyBelow), true)
	send("b", "b2", false)
	send("c", "c22", false)
	if n := len(o.mu.segments); n != 1 {
		t.Errorf("%d segments, want 1", n)
	}
	if got, _ := drainBox(o); got != "\x81\x02b2\x81\x03c22" {
		t.Errorf("wrote %q", got)
	}
}

// TestOutboxConflatingInSmallChunks is what bounds the work of a send by which many
// frames are moved.
func TestOutboxConflatingInSmallChunks(t *testing.T) {
	t.Parallel()
	o := boxOf(10 << 20)
	o.budget.all = 10 << 20
	o.hold()
	for key := range 5000 {
		if err := addLine(o, line{fmt.Sprint(key), strings.Repeat("x", 100)}, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range o.mu.segments {
		if n := len(s.own.B); n > keyedChunk+102 {
			t.Errorf("a chunk has %d bytes", n)
		}
	}
}
