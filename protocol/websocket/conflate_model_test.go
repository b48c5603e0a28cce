package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// queued is a frame of the reference: all that is needed to say what is written,
// and what counts.
type queued struct {
	key     string
	frame   []byte
	control bool
	shared  bool
}

func (q *queued) counts() (inQueue, own int) {
	if q.control {
		return 0, len(q.frame)
	}
	if q.key != "" {
		own = len(q.key) + protocol.KeyOverhead
	}
	inQueue = len(q.frame) + own
	if !q.shared {
		own = inQueue
	}
	return inQueue, own
}

// outboxModel is an outbox, what it should be, and what its writer has taken.
type outboxModel struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand
	keys   int // different ones
	box    *outbox
	ample  bool // no budget refuses
	want   []queued
	taken  []segment // is being written
	spare  []segment // was
	bytes  []byte    // what it was when it was taken
	inside int       // of bytes, what is of messages
	own    int       // of bytes, what is not shared
	old    []*protocol.Prepared
	number int
	full   bool // somebody waits for room
	log    []string
	seen   map[string]int
}

// TestConflateModel sends, drops and writes at random, and compares every byte and
// every count with a list of frames that is searched from end to end. WYE_SEED=n
// runs that one seed again, WYE_SEEDS=n those from 1 to n.
func TestConflateModel(t *testing.T) {
	t.Parallel()
	first, last := testkit.Seeds(t, 25)
	seen := map[string]int{}
	for seed := first; seed <= last; seed++ {
		r := newOutboxModel(t, seed, seen)
		for range 60 + r.random.IntN(300) {
			r.step()
			if r.random.IntN(3) == 0 {
				r.check()
			}
		}
		r.check()
		r.end()
	}
	for _, what := range []string{
		"in place", "to the end", "full", "dropped", "over budget", "a control frame between", "another form", "again what is written",
	} {
		if seen[what] < 5 && last-first > 20 {
			t.Errorf("%q was seen %d times: the generator no longer reaches all that the model checks", what, seen[what])
		}
	}
}

func newOutboxModel(t *testing.T, seed uint64, seen map[string]int) *outboxModel {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	r := &outboxModel{t: t, seed: seed, random: random, seen: seen, ample: random.IntN(3) > 0}
	r.keys = []int{1, 3, 12, 150}[random.IntN(4)]
	r.box = boxOf([]int{1, 5000, 60_000, 200_000, 600_000}[random.IntN(5)])
	r.box.budget.all = 1 << 40
	if !r.ample {
		r.box.budget.all = int64(random.IntN(200 << 10))
	}
	if random.IntN(2) == 0 {
		r.box.begin(&bytespool.Buffer{B: []byte("\x89\x00")}) // a ping will do as the answer
		r.want = append(r.want, queued{frame: []byte("\x89\x00"), control: true})
	}
	r.box.hold()
	return r
}

func (r *outboxModel) fatalf(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("WYE_SEED=%d: %s\nlast steps: %v", r.seed, fmt.Sprintf(format, args...), r.log[max(len(r.log)-12, 0):])
}

func (r *outboxModel) didf(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *outboxModel) step() {
	switch n := r.random.IntN(24); {
	case n == 0:
		r.control()
	case n == 1:
		r.take()
	case n == 2:
		r.write()
	case n == 3 && len(r.old) > 0: // also while it is written
		p := r.old[r.random.IntN(len(r.old))]
		if bytes.Contains(r.bytes, frame.AppendMessage(nil, p.Message())) {
			r.seen["again what is written"]++
		}
		r.send(p.Message(), p)
	default:
		m := r.message()
		if r.random.IntN(2) > 0 {
			r.send(m, nil)
			return
		}
		p := protocol.Prepare(m)
		if len(r.old) < 5 {
			r.old = append(r.old, p)
		}
		r.send(m, p)
	}
}

func (r *outboxModel) message() (m protocol.Message) {
	r.number++
	m.Data = fmt.Appendf(nil, "%d ", r.number)
	size := []int{0, 90, 100, 125, 126, copyBelow - 1, copyBelow, copyBelow + 1, 9000, keyedChunk, bytespool.MaxRecycled - 10, bytespool.MaxRecycled + 1}
	n := r.random.IntN(200)
	if i := r.random.IntN(2 * len(size)); i < len(size) {
		n = size[i]
	}
	m.Data = append(m.Data, bytes.Repeat([]byte("x"), max(n-len(m.Data), 0))...)
	switch n := r.random.IntN(12); {
	case n == 0:
	case n < 4 && len(r.want) > 0: // what waits first, as a rule
		m.Key = r.want[min(n-1, len(r.want)-1)].key
	default:
		m.Key = fmt.Sprint("key", r.random.IntN(r.keys))
	}
	return m
}

// send sends m, as p if there is one, under a policy.
func (r *outboxModel) send(m protocol.Message, p *protocol.Prepared) {
	err := r.add(m, p)
	if errors.Is(err, protocol.ErrQueueFull) && r.random.IntN(2) == 0 {
		room := needs(m) + ws.MaxHeaderSize
		for dropped := true; dropped && errors.Is(err, protocol.ErrQueueFull); err = r.add(m, p) {
			dropped = r.drop(room) // also if there was none, room may have been given back
			r.check()
		}
		if err != nil && r.taken == nil {
			r.fatalf("it is not enough that nothing else is left: %v", err)
		}
	}
	if err != nil && !errors.Is(err, protocol.ErrQueueFull) {
		r.fatalf("%v", err)
	}
}

// add is Send or SendPrepared, compared with what Message.Key says.
func (r *outboxModel) add(m protocol.Message, p *protocol.Prepared) error {
	q := queued{key: m.Key, frame: frame.Append(nil, frame.OpCodeOf(m.Kind), m.Data), shared: p != nil && len(m.Data) >= copyBelow}
	at := -1
	if m.Key != "" {
		at = slices.IndexFunc(r.want, func(o queued) bool { return o.key == m.Key })
	}
	left := r.queued()
	if at >= 0 {
		n, _ := r.want[at].counts()
		left -= n
	}
	fits := left == 0 || left+needs(m) <= r.box.budget.each
	conflated, err := r.toBox(m, p)
	r.didf("send %q of %d shared %v: conflated %v, %v", m.Key, len(m.Data), q.shared, conflated, err)
	switch {
	case err == nil && fits && conflated == (at >= 0):
	case errors.Is(err, protocol.ErrQueueFull) && !conflated && (!fits || !r.ample && left > 0):
		r.full = true
		r.saw("full", true)
		r.saw("over budget", fits)
		return err
	default:
		r.fatalf("room %v, an earlier one at %d; got conflated %v, %v", fits, at, conflated, err)
	}
	r.put(at, q)
	return nil
}

// needs is the room that m has to have.
func needs(m protocol.Message) int {
	if m.Key == "" {
		return len(m.Data)
	}
	return len(m.Data) + cost(m.Key)
}

// put puts q in the reference, instead of the frame at that place if there is one.
func (r *outboxModel) put(at int, q queued) {
	if at < 0 {
		r.want = append(r.want, q)
		return
	}
	behind := r.want[at+1:]
	r.saw("a control frame between", slices.ContainsFunc(behind, func(o queued) bool { return o.control }))
	r.saw("another form", r.want[at].shared != q.shared)
	inPlace := !slices.ContainsFunc(behind, func(o queued) bool { return o.key == "" && !o.control })
	r.saw("in place", inPlace)
	r.saw("to the end", !inPlace)
	if inPlace {
		r.want[at] = q
		return
	}
	r.want = append(slices.Delete(r.want, at, at+1), q)
}

func (r *outboxModel) toBox(m protocol.Message, p *protocol.Prepared) (conflated bool, err error) {
	switch {
	case p != nil && m.Key != "":
		_, conflated, err = r.box.conflate(keyed{key: m.Key, prepared: p})
	case p != nil:
		_, err = r.box.prepared(p)
	case m.Key != "":
		_, conflated, err = r.box.conflate(keyed{key: m.Key, own: m})
	default:
		_, err = r.box.message(m)
	}
	if p == nil {
		clear(m.Data) // nobody keeps it
	}
	return conflated, err
}

func (r *outboxModel) saw(what string, really bool) {
	if really {
		r.seen[what]++
	}
}

// queued is what counts: of what waits and of what is written.
func (r *outboxModel) queued() (n int) {
	for i := range r.want {
		q, _ := r.want[i].counts()
		n += q
	}
	return n + r.inside
}

// drop drops the oldest; false if there was none.
func (r *outboxModel) drop(room int) bool {
	dropped := r.box.dropOldest(room)
	r.didf("drop for %d: %d", room, dropped)
	r.seen["dropped"] += dropped
	each, n := r.box.budget.each, 0
	for helps := r.inside == 0 || r.inside+room <= each; ; n++ {
		first := slices.IndexFunc(r.want, func(q queued) bool { return !q.control })
		enough := n == dropped
		if r.ample {
			enough = !helps || r.queued() == 0 || r.queued()+room <= each
		}
		if first < 0 || enough {
			break
		}
		r.want = slices.Delete(r.want, first, first+1)
	}
	if n != dropped {
		r.fatalf("%d dropped, want %d", dropped, n)
	}
	return dropped > 0
}

func (r *outboxModel) control() {
	r.number++
	f := frame.Append(nil, 0xa, fmt.Append(nil, r.number))
	if r.random.IntN(2) == 0 {
		before := r.box.mu.pending
		r.box.offer(f)
		if r.box.mu.pending == before { // there is no room
			return
		}
	} else {
		r.box.control(false, f)
	}
	r.didf("control")
	r.want = append(r.want, queued{frame: f, control: true})
}

// take takes what is next, as the writer does, who is stuck with it.
func (r *outboxModel) take() {
	if r.taken != nil {
		return
	}
	r.taken, r.spare = r.box.take(r.spare), nil
	if len(r.taken) == 0 {
		r.taken = nil
		if len(r.want) > 0 || !r.box.hold() {
			r.fatalf("nothing to write")
		}
		return
	}
	for i := range r.taken {
		r.bytes = append(r.bytes, r.taken[i].bytes()...)
	}
	r.didf("take %d", len(r.bytes))
	for left := r.bytes; len(left) > 0; r.want = slices.Delete(r.want, 0, 1) {
		if len(r.want) == 0 || !bytes.HasPrefix(left, r.want[0].frame) {
			r.fatalf("took %.30q, want other frames (%d)", left, len(r.want))
		}
		q := r.want[0]
		left = left[len(q.frame):]
		q.key = "" // costs nothing any more
		inside, own := q.counts()
		r.inside, r.own = r.inside+inside, r.own+own
	}
}

// write writes what was taken: it is as it was then.
func (r *outboxModel) write() {
	var got []byte
	for i := range r.taken {
		got = append(got, r.taken[i].bytes()...)
	}
	if !bytes.Equal(got, r.bytes) {
		r.fatalf("what is being written has changed")
	}
	n := sizeOf(r.taken)
	recycle(r.taken)
	r.spare, r.taken, r.bytes, r.inside, r.own = r.taken, nil, nil, 0, 0
	drained := r.full && r.queued() <= r.box.budget.each/2
	if got := r.box.wrote(n); got != drained {
		r.fatalf("drained %v, want %v", got, drained)
	}
	r.full = r.full && !drained
	r.didf("wrote %d", n.all)
}

// check compares the bytes and the counts.
func (r *outboxModel) check() {
	r.t.Helper()
	o, pending, own, ofKeys := r.box, len(r.bytes), r.own, 0
	var got, want []byte
	for i := range r.want {
		_, n := r.want[i].counts()
		own += n
		pending += len(r.want[i].frame)
		want = append(want, r.want[i].frame...)
		if key := r.want[i].key; key != "" {
			ofKeys += cost(key)
		}
	}
	for i := range o.mu.segments {
		if len(o.mu.segments[i].bytes()) == 0 {
			r.fatalf("segment %d is empty", i)
		}
		got = append(got, o.mu.segments[i].bytes()...)
	}
	switch {
	case !bytes.Equal(got, want):
		r.fatalf("other bytes wait than should")
	case o.mu.queued != r.queued() || o.mu.pending != pending || o.mu.own != own:
		r.fatalf("counted %d queued, %d pending, %d own, want %d, %d, %d", o.mu.queued, o.mu.pending, o.mu.own, r.queued(), pending, own)
	case int64(o.mu.charged+r.shared()) != o.budget.used.Load() || own > o.mu.charged+freeBytes+24: // the last header, the answer
		r.fatalf("%d own, %d charged, %d used", own, o.mu.charged, o.budget.used.Load())
	case o.mu.keys != nil && o.mu.keys.cost != ofKeys || o.mu.keys == nil && ofKeys > 0:
		r.fatalf("keys cost something else than %d", ofKeys)
	}
	r.checkKeys()
}

// shared is what the shared frames that wait, or are being written, are charged: each
// of them once.
func (r *outboxModel) shared() (n int) {
	places := map[*sharedFrame]int64{}
	for _, s := range slices.Concat(r.box.mu.segments, r.taken) {
		if s.shared != nil {
			places[s.shared]++
		}
	}
	for f, want := range places {
		n += cap(f.b)
		if got := f.places.Load(); got != want {
			r.fatalf("a shared frame has %d places, want %d", got, want)
		}
	}
	return n
}

// checkKeys compares the index with the frames.
func (r *outboxModel) checkKeys() {
	var w *waiting
	n := 0
	if k := r.box.mu.keys; k != nil {
		w, n = k.first, len(k.byKey)
	}
	for _, q := range r.want {
		if q.key == "" {
			continue
		}
		if w == nil || w.key != q.key || r.box.mu.keys.byKey[q.key] != w || (w.own == nil) != q.shared || w.size != len(q.frame) {
			r.fatalf("%q is not in the index, or not in its place: %+v", q.key, w)
		}
		i := r.box.segmentOf(w)
		if i < 0 || w.own != nil && !bytes.HasPrefix(w.own.B[w.at:], q.frame) {
			r.fatalf("the index has %q where it is not", q.key)
		}
		w, n = w.next, n-1
	}
	if w != nil || n != 0 {
		r.fatalf("the index has what does not wait")
	}
}

// end ends the connection, or has the peer read all: nothing is left.
func (r *outboxModel) end() {
	switch r.random.IntN(3) {
	case 0:
		n := sizeOf(r.taken)
		recycle(r.taken)
		r.box.abort()
		r.box.wrote(n)
		r.want, r.taken, r.bytes, r.inside, r.own = nil, nil, nil, 0, 0
	case 1:
		f := frame.Append(nil, 0x8, nil)
		r.box.control(true, f)
		r.want = append(r.want, queued{frame: f, control: true})
		for _, key := range []string{"", "key0"} {
			if _, err := r.toBox(protocol.Message{Key: key}, nil); !errors.Is(err, protocol.ErrClosed) {
				r.fatalf("behind the close: %v", err)
			}
		}
	}
	for r.box.busy() {
		r.take()
		r.write()
		r.check()
	}
	if o := r.box; len(r.want) > 0 || o.mu.queued != 0 || o.mu.pending != 0 || o.mu.own != 0 || o.budget.used.Load() != 0 {
		r.fatalf("left behind: %d frames; %d queued, %d pending, %d own, %d charged",
			len(r.want), o.mu.queued, o.mu.pending, o.mu.own, o.budget.used.Load())
	}
}
