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
)

// line is a message of the model: with a key, or "".
type line struct{ key, text string }

// model is an outgoing queue as Message.Key describes it.
type model []line

// add adds l, instead of one with its key.
func (m *model) add(l line) (conflated bool) {
	old := -1
	if l.key != "" {
		old = slices.IndexFunc(*m, func(o line) bool { return o.key == l.key })
	}
	switch {
	case old < 0:
		*m = append(*m, l)
		return false
	case slices.ContainsFunc((*m)[old:], func(o line) bool { return o.key == "" }):
		*m = append(slices.Delete(*m, old, old+1), l)
	default:
		(*m)[old] = l
	}
	return true
}

// addLine adds l to o, as Send or as SendPrepared does.
func addLine(o *outbox, l line, prepared bool) (conflated bool, err error) {
	m := protocol.Message{Data: []byte(l.text), Key: l.key}
	switch {
	case prepared && l.key != "":
		_, conflated, err = o.conflate(keyed{key: l.key, prepared: protocol.Prepare(m)})
	case prepared:
		_, err = o.prepared(protocol.Prepare(m))
	case l.key != "":
		_, conflated, err = o.conflate(keyed{key: l.key, own: m})
		clear(m.Data) // nobody keeps it
	default:
		_, err = o.message(m)
	}
	return conflated, err
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
				if _, err := addLine(o, l, forms>>(2*i)&2 != 0); err != nil {
					t.Fatalf("%s: %v", test.at, err)
				}
				if i == 1 {
					o.control(false, appendFrame(nil, 0xa, []byte("pong")))
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

// rigged is an outbox, the model of it, and what its writer has taken.
type rigged struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand
	box    *outbox
	queue  model
	taken  []segment
	wrote  []line // of the model: taken
	number int
	full   int
	gone   int // conflated and dropped
}

// TestOutboxConflatesAtRandom sends with keys and without, drops the oldest when
// it must, and writes, at random. What comes out is what the model says.
func TestOutboxConflatesAtRandom(t *testing.T) {
	t.Parallel()
	var full, gone int
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := &rigged{t: t, seed: seed, random: random, box: boxOf(1 + random.IntN(200<<10))}
		r.box.budget.all = int64(random.IntN(200 << 10))
		r.box.hold()
		for range 400 {
			r.step()
			if r.random.IntN(4) == 0 {
				r.check()
			}
		}
		for r.box.busy() {
			r.take()
			r.write()
		}
		if n := r.box.budget.used.Load(); n != 0 || len(r.queue) != 0 || r.box.mu.queued != 0 || r.box.mu.own != 0 {
			t.Fatalf("seed %d: %d bytes of the budget, %d queued and %d of the model are left", seed, n, r.box.mu.queued, len(r.queue))
		}
		full, gone = full+r.full, gone+r.gone
	}
	if full < 20 || gone < 300 {
		t.Errorf("only %d sends found the queue full, only %d messages were replaced or dropped", full, gone)
	}
}

func (r *rigged) step() {
	switch r.random.IntN(12) {
	case 0:
		r.box.offer(appendFrame(nil, 0xa, []byte("pong")))
	case 1:
		r.take()
	case 2:
		r.write()
	default:
		r.send()
	}
}

// send sends one message, under OverflowDropOldest or OverflowDropNewest.
func (r *rigged) send() {
	size := []int{0, 20, 300, 1900, 3000, 9000, 70_000}[r.random.IntN(7)]
	l := line{text: fmt.Sprintf("%d %s", r.number, strings.Repeat("x", size))}
	r.number++
	room := len(l.text) + 10
	if n := r.random.IntN(12); n < 9 {
		l.key = fmt.Sprint("key", n)
		room += cost(l.key)
	}
	prepared := r.random.IntN(2) == 0
	conflated, err := addLine(r.box, l, prepared)
	for evict := r.random.IntN(2) == 0; evict && errors.Is(err, protocol.ErrFull); {
		r.full++
		dropped := r.box.dropOldest(room)
		r.queue = slices.Delete(r.queue, 0, dropped)
		r.gone += dropped
		conflated, err = addLine(r.box, l, prepared)
		if evict = dropped > 0; !evict && err != nil && r.taken == nil {
			r.t.Fatalf("seed %d: it is not enough that nothing else is left: %v", r.seed, err)
		}
	}
	switch {
	case errors.Is(err, protocol.ErrFull):
	case err != nil:
		r.t.Fatalf("seed %d: %v", r.seed, err)
	case r.queue.add(l) != conflated:
		r.t.Fatalf("seed %d: conflated %v, which the model has not", r.seed, conflated)
	case conflated:
		r.gone++
	}
}

// take takes what is next, as the writer does who is stuck with it.
func (r *rigged) take() {
	if r.taken != nil {
		return
	}
	r.taken = r.box.take(nil)
	r.box.hold()
	n := 0
	for _, s := range r.taken {
		for range messagesIn(r.t, &s) {
			n++
		}
	}
	r.wrote, r.queue = slices.Clone(r.queue[:n]), slices.Delete(r.queue, 0, n)
}

// write writes what was taken: it is as it was then.
func (r *rigged) write() {
	var got []string
	for _, s := range r.taken {
		got = append(got, messagesIn(r.t, &s)...)
	}
	if !slices.EqualFunc(got, r.wrote, func(s string, l line) bool { return s == l.text }) {
		r.t.Fatalf("seed %d: wrote %.20q, want %.20q", r.seed, got, r.wrote)
	}
	r.box.wrote(sizeOf(r.taken))
	r.taken, r.wrote = nil, nil
}

// messagesIn are the payloads of the messages in s.
func messagesIn(t *testing.T, s *segment) []string {
	t.Helper()
	return slices.DeleteFunc(frames(t, string(s.bytes())), func(p string) bool { return p == "pong" })
}

// check compares the counts with what there is.
func (r *rigged) check() {
	r.t.Helper()
	o, costs, named := r.box, 0, 0
	for _, l := range r.queue {
		if l.key != "" {
			costs, named = costs+cost(l.key), named+1
		}
	}
	n, writing := sizeOf(o.mu.segments), sizeOf(r.taken)
	r.checkSegments()
	switch {
	case n.all+writing.all != o.mu.pending || n.ofQueue+writing.ofQueue+costs != o.mu.queued || n.own+writing.own+costs != o.mu.own:
		r.t.Fatalf("seed %d: there are %+v and %+v and keys of %d; counted %d queued, %d pending, %d own",
			r.seed, n, writing, costs, o.mu.queued, o.mu.pending, o.mu.own)
	case int64(o.mu.charged) != o.budget.used.Load() || o.mu.own > o.mu.charged+freeBytes+24: // the last header, a pong
		r.t.Fatalf("seed %d: %d own, %d charged, %d used", r.seed, o.mu.own, o.mu.charged, o.budget.used.Load())
	case len(r.queue)+len(r.wrote) > 1 && o.mu.queued > o.budget.each+10:
		r.t.Fatalf("seed %d: %d queued of %d", r.seed, o.mu.queued, o.budget.each)
	}
	if k := o.mu.keys; k == nil && named > 0 || k != nil && (len(k.byKey) != named || k.cost != costs) {
		r.t.Fatalf("seed %d: the keys are not those of the model", r.seed)
	}
}

// checkSegments compares what segments count with the messages in them.
func (r *rigged) checkSegments() {
	r.t.Helper()
	for _, s := range r.box.mu.segments {
		n := 0
		for _, p := range messagesIn(r.t, &s) {
			n += len(appendHeader(nil, 1, len(p))) + len(p)
		}
		if n != s.ofQueue || len(s.bytes()) == 0 {
			r.t.Fatalf("seed %d: a segment of %d counts %d, want %d", r.seed, len(s.bytes()), s.ofQueue, n)
		}
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
				own.release()
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
		if _, err := addLine(o, line{"key", strings.Repeat("x", size)}, false); err != nil {
			t.Fatal(err)
		}
	}
	if n, c := o.budget.used.Load(), cap(o.mu.segments[0].own.b); n > chargeUnit || c > keptChunk {
		t.Errorf("a message of 10 bytes has %d of the budget, and %d of memory", n, c)
	}
}

// TestOutboxConflatingKeepsFewChunks has messages change their form, and leave their
// places for the end of the queue but for a few: chunks stay as few as they would be
// without that, so that a queue has the memory it counts and a place in it is found
// soon.
func TestOutboxConflatingKeepsFewChunks(t *testing.T) {
	t.Parallel()
	const keys, rounds = 600, 40
	send := func(o *outbox, key, size int, prepared bool) {
		t.Helper()
		if _, err := addLine(o, line{fmt.Sprint(key), strings.Repeat("x", size)}, prepared); err != nil {
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

// TestOutboxConflatingInSmallChunks is what bounds the work of a send by which many
// frames are moved.
func TestOutboxConflatingInSmallChunks(t *testing.T) {
	t.Parallel()
	o := boxOf(10 << 20)
	o.budget.all = 10 << 20
	o.hold()
	for key := range 5000 {
		if _, err := addLine(o, line{fmt.Sprint(key), strings.Repeat("x", 100)}, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range o.mu.segments {
		if n := len(s.own.b); n > keyedChunk+102 {
			t.Errorf("a chunk has %d bytes", n)
		}
	}
}
