package queue

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// dice are decisions, from a seed or from a fuzzer.
type dice []byte

func (d *dice) roll(n int) int {
	if len(*d) < 2 {
		*d = nil
		return 0
	}
	v := int((*d)[0])<<8 | int((*d)[1])
	*d = (*d)[2:]
	return v % n
}

// modelFrame is a frame of the reference.
type modelFrame struct {
	key     string
	b       []byte
	control bool
	ref     bool // it was added with AddShared
	shared  *Shared
}

func (f *modelFrame) counts(waits bool) (queued, own int) {
	if f.control {
		return 0, len(f.b)
	}
	if waits {
		own = cost(f.key)
	}
	queued = len(f.b) + own
	if f.shared == nil && !f.ref {
		own = queued
	}
	return queued, own
}

// model is a queue, and what it should be: a list of frames that is searched from end to
// end.
type model struct {
	t        *testing.T
	dice     dice
	q        Queue
	ample    bool // the pool refuses nothing
	keys     int
	want     []modelFrame // the frames of each entry until all of it is written
	started  int          // of want, in entries that are started
	written  int          // bytes of want
	pieces   [][]byte     // lent by Peek
	copies   []byte       // of them, as they were
	refused  bool
	closed   bool
	old      []*Shared
	reserved []Frame
	unmade   map[*buffer][]byte // what is reserved
	number   int
	log      []string
	seen     map[string]int
}

// TestModel adds, replaces, drops and writes at random, and compares every byte and every
// count with a list of frames. WYE_SEED=n runs that one seed again, WYE_SEEDS=n those
// from 1 to n.
func TestModel(t *testing.T) {
	t.Parallel()
	first, last := testkit.Seeds(t, 40)
	seen := map[string]int{}
	for seed := first; seed <= last; seed++ {
		random := rand.New(rand.NewPCG(seed, 1))
		d := make(dice, 300+random.IntN(3000))
		for i := range d {
			d[i] = byte(random.Uint32())
		}
		runModel(t, d, seen)
		if t.Failed() {
			t.Fatalf("WYE_SEED=%d", seed)
		}
	}
	for _, what := range []string{
		"in place", "to the end", "full", "dropped", "over budget", "a control frame between", "another form",
		"again what is written", "partial", "several pieces", "cut", "aborted while lent", "final", "drained", "reserved",
	} {
		if seen[what] < 5 && last-first > 30 {
			t.Errorf("%q was seen %d times: the generator no longer reaches all that the model checks", what, seen[what])
		}
	}
}

func FuzzModel(f *testing.F) {
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 2))
		d := make(dice, 400)
		for i := range d {
			d[i] = byte(random.Uint32())
		}
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, d []byte) { runModel(t, d, map[string]int{}) })
}

func runModel(t *testing.T, d dice, seen map[string]int) {
	t.Helper()
	m := &model{t: t, dice: d, seen: seen, unmade: map[*buffer][]byte{}}
	m.ample = m.dice.roll(3) > 0
	m.keys = []int{1, 3, 12, 150}[m.dice.roll(4)]
	size := 1 << 40
	if !m.ample {
		size = m.dice.roll(60_000) * 4
	}
	m.q.Budget = &Budget{Each: []int{1, 5000, 60_000, 200_000, 600_000}[m.dice.roll(5)], Pool: NewPool(size)}
	for m.dice != nil {
		m.step()
		if m.dice.roll(3) == 0 {
			m.check()
		}
	}
	m.check()
	m.end()
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nlast steps: %v", fmt.Sprintf(format, args...), m.log[max(len(m.log)-12, 0):])
}

func (m *model) didf(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) saw(what string, really bool) {
	if really {
		m.seen[what]++
	}
}

func (m *model) step() {
	switch n := m.dice.roll(28); n {
	case 0:
		m.control(false)
	case 1, 2:
		m.peek()
	case 3, 4:
		m.advance()
	case 5, 6:
		m.sendOld()
	case 7:
		m.fill()
	case 8:
		m.endEarly()
	default:
		f := modelFrame{key: m.key(), b: m.bytes()}
		if f.key == "" && m.dice.roll(2) == 0 && m.sendRef(f) {
			return
		}
		if m.dice.roll(3) == 0 {
			f.shared = NewShared(slices.Clone(f.b), m.q.Budget.Pool)
			if len(m.old) < 5 {
				m.old = append(m.old, f.shared)
			}
		}
		m.send(f)
	}
}

// sendRef adds f as a reference, if the queue takes it so.
func (m *model) sendRef(f modelFrame) bool {
	small := m.q.Pending() == 0 || m.q.state == nil && m.q.refs.gathered == nil && m.q.refs.n < maxRefs &&
		m.q.Pending()+len(f.b) <= min(FreeBytes, m.q.Budget.Each/2)
	f.ref = m.q.AddShared(NewShared(slices.Clone(f.b), m.q.Budget.Pool))
	m.didf("send a reference of %d: %v", len(f.b), f.ref)
	if want := small && !m.closed && len(f.b) <= maxRef; f.ref != want {
		m.fatalf("taken as a reference: %v, want %v", f.ref, want)
	}
	if f.ref {
		m.want = append(m.want, f)
		m.saw("several references", m.q.refs.n > 1)
	}
	return f.ref
}

// sendOld sends a shared frame again, one that is being written if there is any.
func (m *model) sendOld() {
	if len(m.old) == 0 {
		return
	}
	shared := m.old[m.dice.roll(len(m.old))]
	for _, s := range m.old {
		if len(m.copies) > 0 && bytes.Contains(m.copies, s.b) {
			shared = s
		}
	}
	m.saw("again what is written", bytes.Contains(m.copies, shared.b))
	m.send(modelFrame{key: m.key(), b: shared.b, shared: shared})
}

// endEarly ends the connection, now and then.
func (m *model) endEarly() {
	switch m.dice.roll(40) {
	case 0:
		m.abort()
	case 1, 2:
		m.control(true)
	}
}

// bytes are a frame like no other.
func (m *model) bytes() []byte {
	m.number++
	sizes := []int{1, 90, 128, 129, chunkSize, 9000, keyedPeek, maxChunked, maxChunked + 1, maxChunk + 1}
	n := m.dice.roll(200)
	if i := m.dice.roll(2 * len(sizes)); i < len(sizes) {
		n = sizes[i]
	}
	b := fmt.Appendf(nil, "<%d>", m.number)
	return append(b, bytes.Repeat([]byte("x"), max(n-len(b), 0))...)
}

func (m *model) key() string {
	switch n := m.dice.roll(12); {
	case n < 2:
		return ""
	case n < 4 && len(m.want) > 0: // what waits first, as a rule
		return m.want[min(n-1, len(m.want)-1)].key
	}
	return fmt.Sprint("key", m.dice.roll(m.keys))
}

// send adds f under OverflowDropOldest or another policy.
func (m *model) send(f modelFrame) {
	err := m.add(f)
	if errors.Is(err, protocol.ErrQueueFull) && m.dice.roll(2) == 0 {
		for dropped := true; dropped && errors.Is(err, protocol.ErrQueueFull); err = m.add(f) {
			dropped = m.drop(len(f.b) + cost(f.key)) // also if there was none, room may have been given back
			m.check()
		}
		if err != nil && m.started == 0 {
			m.fatalf("it is not enough that nothing else is left: %v", err)
		}
	}
}

// add adds f, and compares what happens with what protocol.Message.Key says.
func (m *model) add(f modelFrame) error {
	at := m.replaceable(f.key)
	left := m.queued()
	if at >= 0 {
		n, _ := m.want[at].counts(true)
		left -= n
	}
	fits := left == 0 || left+len(f.b)+cost(f.key) <= m.q.Budget.Each
	replaced, err := m.toQueue(f)
	m.didf("send %q of %d shared %v: replaced %v, %v", f.key, len(f.b), f.shared != nil, replaced, err)
	switch {
	case m.closed:
		if !errors.Is(err, protocol.ErrClosed) || replaced {
			m.fatalf("closed; got replaced %v, %v", replaced, err)
		}
		return err
	case err == nil && fits && replaced == (at >= 0):
		m.put(at, f)
		return nil
	case errors.Is(err, protocol.ErrQueueFull) && !replaced && (!fits || !m.ample && left > 0):
		m.refused = true
		m.saw("full", true)
		m.saw("over budget", fits)
		return err
	}
	m.fatalf("room %v, an earlier one at %d; got replaced %v, %v", fits, at, replaced, err)
	return err
}

// replaceable returns the index of the frame with that key that waits, or -1.
func (m *model) replaceable(key string) int {
	i := slices.IndexFunc(m.want[m.started:], func(o modelFrame) bool { return key != "" && o.key == key })
	if i < 0 {
		return -1
	}
	return m.started + i
}

func (m *model) toQueue(f modelFrame) (replaced bool, err error) {
	var frame Frame
	switch {
	case f.shared != nil:
		frame = f.shared.Frame()
	case f.key == "" && m.dice.roll(2) == 0:
		b, err := m.q.AddMessage(len(f.b), nil)
		copy(b, f.b)
		return false, err
	case m.dice.roll(6) == 0:
		frame = ReserveFrame(len(f.b))
		m.reserved, m.unmade[frame.own] = append(m.reserved, frame), f.b
	default:
		frame = NewFrame(len(f.b))
		copy(frame.Bytes(), f.b)
	}
	if f.key == "" {
		return false, m.q.Add(frame, nil)
	}
	return m.q.Replace(f.key, frame, nil)
}

// fill makes the frame that was reserved last: it may not be there any more.
func (m *model) fill() {
	if len(m.reserved) == 0 {
		return
	}
	last := m.reserved[len(m.reserved)-1]
	m.reserved = m.reserved[:len(m.reserved)-1]
	f := NewFrame(len(m.unmade[last.own]))
	copy(f.Bytes(), m.unmade[last.own])
	m.q.Fill(last, f)
}

// put puts f in the reference, instead of the frame at that place if there is one.
func (m *model) put(at int, f modelFrame) {
	if at < 0 {
		m.want = append(m.want, f)
		return
	}
	behind := m.want[at+1:]
	m.saw("a control frame between", slices.ContainsFunc(behind, func(o modelFrame) bool { return o.control }))
	m.saw("another form", (m.want[at].shared == nil) != (f.shared == nil))
	inPlace := !slices.ContainsFunc(behind, func(o modelFrame) bool { return o.key == "" && !o.control })
	m.saw("in place", inPlace)
	m.saw("to the end", !inPlace)
	if inPlace {
		m.want[at] = f
		return
	}
	m.want = append(slices.Delete(m.want, at, at+1), f)
}

// queued is what counts: of what waits and of what is written.
func (m *model) queued() (n int) {
	for i := range m.want {
		q, _ := m.want[i].counts(i >= m.started)
		n += q
	}
	return n
}

// drop drops the oldest; false if there was none.
func (m *model) drop(room int) bool {
	dropped := m.q.DropOldest(room)
	m.didf("drop for %d: %d", room, dropped)
	m.seen["dropped"] += dropped
	fits := func(left int) bool { return left == 0 || left+room <= m.q.Budget.Each }
	inside := 0
	for i := range m.want[:m.started] {
		n, _ := m.want[i].counts(false)
		inside += n
	}
	n := 0
	for helps := fits(inside); ; n++ {
		first := slices.IndexFunc(m.want[m.started:], func(f modelFrame) bool { return !f.control })
		enough := n == dropped
		if m.ample {
			enough = !helps || fits(m.queued())
		}
		if first < 0 || enough || m.closed {
			break
		}
		m.want = slices.Delete(m.want, m.started+first, m.started+first+1)
	}
	if n != dropped {
		m.fatalf("%d dropped, want %d", dropped, n)
	}
	m.countStarted() // control frames
	return dropped > 0
}

// countStarted learns from the queue which entries are started: of the first frames.
func (m *model) countStarted() {
	size := 0
	if r := m.q.refs; r != nil && r.gathered != nil {
		size = r.bytes
	}
	if m.q.state != nil {
		for _, e := range m.q.state.allStarted() {
			size += e.size()
		}
	}
	for m.started = 0; size > 0 && m.started < len(m.want); m.started++ {
		size -= len(m.want[m.started].b)
	}
	if size != 0 {
		m.fatalf("a frame is started in part: %d bytes", size)
	}
}

func (m *model) control(final bool) {
	m.number++
	f := modelFrame{b: fmt.Appendf(nil, "(%d)", m.number), control: true}
	var ok bool
	wanted := !m.closed
	if !final && m.dice.roll(2) == 0 {
		full := m.q.Pending() > m.q.Budget.Each
		ok = m.q.OfferControl(f.b)
		wanted = wanted && !full && (ok || m.ample)
	} else {
		ok = m.q.AddControl(f.b, final)
	}
	m.didf("control %v: %v", final, ok)
	if ok != wanted {
		m.fatalf("a control frame was queued: %v", ok)
	}
	if ok {
		m.want = append(m.want, f)
		m.closed = final
		m.saw("final", final)
	}
}

// peek starts what is next: the first frames of the reference.
func (m *model) peek() {
	if m.pieces != nil {
		return
	}
	most := []int{1, 100, 3000, 128 << 10}[m.dice.roll(4)]
	ready := m.q.Ready()
	m.saw("reserved", !ready && len(m.want) > 0)
	m.pieces = m.q.Peek(most)
	m.copies = bytes.Join(m.pieces, nil)
	m.didf("peek %d: %d in %d", most, len(m.copies), len(m.pieces))
	m.saw("several pieces", len(m.pieces) > 1)
	m.saw("cut", len(m.copies) == most)
	m.countStarted()
	var started []byte
	for i := range m.want[:m.started] {
		started = append(started, m.want[i].b...)
	}
	switch {
	case len(m.copies) > most || (len(m.copies) == 0) == ready:
		m.fatalf("%d bytes returned, want %d at the most", len(m.copies), most)
	case !bytes.HasPrefix(started[m.written:], m.copies):
		m.fatalf("%.40q returned, want other frames (%d)", m.copies, len(m.want))
	case len(m.pieces) == 0:
		m.pieces = nil
	}
}

// advance writes a part of what Peek has returned: it is as it was then.
func (m *model) advance() {
	if m.pieces == nil {
		return
	}
	if !bytes.Equal(bytes.Join(m.pieces, nil), m.copies) {
		m.fatalf("what is being written has changed")
	}
	n := len(m.copies)
	if m.dice.roll(3) == 0 {
		n = m.dice.roll(n + 1)
		m.saw("partial", n < len(m.copies))
	}
	m.written += n
	var sizes []int
	if m.q.refs != nil {
		sizes = append(sizes, m.q.refs.bytes)
		m.saw("references in part", m.written < m.q.refs.bytes)
	} else {
		for _, e := range m.q.state.allStarted() {
			sizes = append(sizes, e.size())
		}
	}
	for _, size := range sizes {
		if m.written < size {
			break
		}
		m.written -= size
		for size > 0 {
			size -= len(m.want[0].b)
			m.want = slices.Delete(m.want, 0, 1)
		}
	}
	drained := m.q.Advance(n, nil)
	m.didf("advance %d", n)
	m.countStarted()
	if want := m.refused && m.queued() <= m.q.Budget.Each/2; drained != want {
		m.fatalf("drained %v, want %v", drained, want)
	}
	m.saw("drained", drained)
	m.refused = m.refused && !drained
	m.pieces, m.copies = nil, nil
}

// check compares the bytes and the counts.
func (m *model) check() {
	m.t.Helper()
	pending, own := 0, 0
	var want []byte
	for i := range m.want {
		_, n := m.want[i].counts(i >= m.started)
		own += n
		pending += len(m.want[i].b)
		want = append(want, m.want[i].b...)
	}
	s := m.q.state
	if got := m.contents(); !bytes.Equal(got, want) || m.q.Pending() != pending || m.q.queued() != m.queued() {
		m.fatalf("other bytes wait than should")
	}
	if s == nil {
		if m.q.Budget.Used() != 0 {
			m.fatalf("%d charged", m.q.Budget.Used())
		}
		return
	}
	refs := m.q.refs.queued()
	switch {
	case s.queued != m.queued()-refs || s.pending != pending-refs || s.account.own != own:
		m.fatalf("counted %d queued, %d pending, %d own, want %d, %d, %d", s.queued, s.pending, s.account.own, m.queued(), pending, own)
	case int64(s.account.charged+m.charged()) != m.q.Budget.Used() || own > s.account.charged+FreeBytes:
		m.fatalf("%d own, %d charged, %d used", own, s.account.charged, m.q.Budget.Used())
	case s.pending == 0 && m.q.refs == nil:
		m.fatalf("an empty queue holds memory")
	}
}

// allStarted returns the entries that are started.
func (s *state) allStarted() []entry {
	if s.writing {
		return []entry{{Frame: Frame{own: s.tail.own}, messages: s.tail.messages}}
	}
	return s.started
}

// allWaiting returns the entries that wait.
func (s *state) allWaiting() (all []*entry) {
	for _, e := range s.waiting.All() {
		all = append(all, e)
	}
	if c := s.tail; c.own != nil && !s.writing {
		all = append(all, &entry{Frame: Frame{own: c.own}, frames: c.frames, messages: c.messages})
	}
	return all
}

// contents is what is in the queue.
func (m *model) contents() (b []byte) {
	frames := 0
	if r := m.q.refs; r != nil {
		for _, s := range r.list[:r.n] {
			b = append(b, s.b...)
		}
	}
	if m.q.state == nil {
		return b
	}
	before := len(b)
	for _, e := range m.q.state.allStarted() {
		b = append(b, e.bytes()...)
	}
	for i, e := range m.q.state.allWaiting() {
		if e.size() == 0 {
			m.fatalf("an entry is empty")
		}
		if i == 0 && m.q.Ready() != (before > 0 || len(b) > 0 || e.reserved() == 0) {
			m.fatalf("ready: %v", m.q.Ready())
		}
		if e.reserved() > 0 {
			b = append(b, m.unmade[e.own]...)
		} else {
			b = append(b, e.bytes()...)
		}
		frames += e.frames
	}
	if n := len(m.q.state.sizes.list) - m.q.state.sizes.head; n != frames {
		m.fatalf("%d sizes of %d frames", n, frames)
	}
	return b
}

// charged is what the shared frames that are held are charged: each of them once.
func (m *model) charged() (n int) {
	holders := map[*Shared]int64{}
	for i := range m.want {
		if s := m.want[i].shared; s != nil {
			holders[s]++
		}
	}
	for s, want := range holders {
		n += cap(s.b)
		if got := s.holders.Load(); got != want {
			m.fatalf("a shared frame has %d holders, want %d", got, want)
		}
	}
	return n
}

// abort drops all, also while a writer has a part of it.
func (m *model) abort() {
	m.didf("abort")
	m.saw("aborted while lent", m.pieces != nil)
	m.q.Abort()
	if !m.q.Finished() {
		m.fatalf("not finished after Abort")
	}
	if m.pieces != nil {
		if !bytes.Equal(bytes.Join(m.pieces, nil), m.copies) {
			m.fatalf("what is being written has changed")
		}
		m.q.Advance(len(m.copies), nil)
	}
	m.closed, m.refused = true, false
	m.want, m.started, m.written, m.pieces, m.copies = nil, 0, 0, nil, nil
	m.check()
}

// end ends the connection, or has the peer read all: nothing is left.
func (m *model) end() {
	if m.number%4 == 0 {
		m.peek()
		m.abort()
	}
	for len(m.reserved) > 0 {
		m.fill()
	}
	for m.q.Pending() > 0 {
		m.dice = bytes.Repeat([]byte{0, 7}, 10) // as much as possible at once
		m.peek()
		m.advance()
		m.check()
	}
	if len(m.want) > 0 || m.q.refs != nil || m.q.state != nil || m.q.Budget.Used() != 0 {
		m.fatalf("left behind: %d frames, %d charged", len(m.want), m.q.Budget.Used())
	}
}
