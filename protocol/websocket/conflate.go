package websocket

import (
	"slices"
	"sync"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// keys are the messages with a key that wait: queued, and not taken by the writer.
// It is there once a connection has sent one. All of it is guarded by the outbox's
// lock.
type keys struct {
	byKey       map[string]*waiting
	first, last *waiting // in the order of the queue
	added       int64    // messages with a key, so far
	cost        int      // of those that wait
	most        int      // that have waited at once
}

// keptKeys is how many may have waited at once so that an empty map is used again:
// maps do not shrink.
const keptKeys = 64

// keyedChunk is the size up to which messages with a key are added to a chunk: when
// the size of one changes, all behind it in its chunk is moved.
const keyedChunk = 16 << 10

// waiting is a message with a key, and where its frame is.
type waiting struct {
	key        string
	prev, next *waiting
	own        *bytespool.Buffer // that the frame is in
	at         int               // in own.B
	shared     *sharedFrame      // or the frame
	size       int               // of the frame
	before     int64             // how many messages without a key were added before it
}

var waitings = sync.Pool{New: func() any { return new(waiting) }}

// cost is what a waiting message counts because of its key.
func cost(key string) int { return len(key) + protocol.KeyOverhead }

// keyed is a message with a key: one of the connection's own, or a shared one.
type keyed struct {
	key      string
	own      protocol.Message
	prepared *protocol.Prepared
	shared   *sharedFrame // of prepared, if it is not copied into the queue
}

func (m *keyed) len() int {
	if m.prepared != nil {
		return m.prepared.Len()
	}
	return len(m.own.Data)
}

// copied reports whether the message is copied into the queue.
func (m *keyed) copied() bool { return m.shared == nil }

// appendFrame appends the frame of a message that is copied.
func (m *keyed) appendFrame(b []byte) []byte {
	if m.prepared != nil {
		return m.prepared.AppendFrame(b, frame.Plain, frame.AppendMessage)
	}
	return frame.Append(b, frame.OpCodeOf(m.own.Kind), m.own.Data)
}

// sendKeyed is Send and SendPrepared for a message with a key.
func (c *conn) sendKeyed(m keyed) error {
	if c.pacer.Load() == nil {
		c.pace()
	}
	write, conflated, err := c.out.conflate(m)
	if conflated {
		c.session.Conflated()
	}
	if write {
		go c.write()
	}
	return err
}

// conflate adds a message with a key, instead of one that waits. It takes that
// one's place, unless a message without a key has been added since.
func (o *outbox) conflate(m keyed) (write, conflated bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.keys == nil {
		o.mu.keys = &keys{byKey: make(map[string]*waiting)}
	}
	if m.prepared != nil && m.prepared.Len() >= copyBelow {
		m.shared = sharedFrameOf(m.prepared, o.budget.pool)
	}
	k := o.mu.keys
	old := k.byKey[m.key]
	if err := o.admitKeyedLocked(&m, old); err != nil {
		return false, false, err
	}
	before := o.mu.messages - k.added
	o.countLocked(m.len())
	k.added++
	if old == nil {
		return o.insertLocked(len(o.mu.segments), o.enlistLocked(m.key, before), &m), false, nil
	}
	switch inPlace := old.before == before; {
	case inPlace && old.own != nil && m.copied():
		write = o.spliceLocked(old, &m)
	case inPlace && old.own == nil && !m.copied():
		write = o.swapLocked(old, &m)
	case inPlace:
		i := o.makeWayLocked(old)
		write = o.insertLocked(i, old, &m)
		o.joinLocked(o.segmentOf(old)+1, old)
	default:
		i := o.takeOutLocked(old)
		o.joinLocked(i+1, old)
		o.joinLocked(i, old)
		k.unlink(old)
		k.link(old)
		old.before = before
		write = o.insertLocked(len(o.mu.segments), old, &m)
	}
	o.refundLocked()
	return write, true, nil
}

// enlistLocked adds a message that waits, behind the others.
func (o *outbox) enlistLocked(key string, before int64) *waiting {
	k := o.mu.keys
	w := waitings.Get().(*waiting) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	w.key, w.before = key, before
	k.byKey[key] = w
	k.link(w)
	k.most = max(k.most, len(k.byKey))
	o.costLocked(cost(key))
	return w
}

// forgetLocked forgets a message that does not wait any more.
func (o *outbox) forgetLocked(w *waiting) {
	k := o.mu.keys
	o.costLocked(-cost(w.key))
	delete(k.byKey, w.key)
	k.unlink(w)
	*w = waiting{}
	waitings.Put(w)
	if k.first == nil && k.most > keptKeys {
		o.mu.keys = nil
	}
}

// costLocked takes note of what keys cost.
func (o *outbox) costLocked(n int) {
	o.mu.keys.cost += n
	o.mu.queued += n
	o.mu.own += n
}

// begunLocked forgets the messages with a key in segments that are written now.
func (o *outbox) begunLocked(taken []segment) {
	for i := range taken {
		for o.mu.keys != nil && o.mu.keys.first != nil && o.mu.keys.first.isIn(&taken[i]) {
			o.forgetLocked(o.mu.keys.first)
		}
	}
}

// droppedLocked forgets the first message of s, which is dropped, if it has a key.
func (o *outbox) droppedLocked(s *segment) {
	if o.mu.keys == nil {
		return
	}
	if w := o.mu.keys.first; w != nil && w.isIn(s) && (s.own == nil || w.at == s.front) {
		o.forgetLocked(w)
	}
}

// admitKeyedLocked is admitLocked for a message that replaces old, if there is one:
// what old counts is as good as free.
func (o *outbox) admitKeyedLocked(m *keyed, old *waiting) error {
	var queued, own int
	if old != nil {
		queued, own = old.sizes()
	}
	o.mu.queued -= queued
	o.mu.own -= own
	if old != nil && old.shared != nil {
		old.shared.drop()
		defer old.shared.hold(true)
	}
	defer func() {
		o.mu.queued += queued
		o.mu.own += own
	}()
	copied := cost(m.key)
	if m.copied() {
		copied += m.len()
	}
	return o.admitLocked(m.len()+cost(m.key), copied, m.shared)
}

// sizes is what w counts: in the queue, and as the queue's own.
func (w *waiting) sizes() (queued, own int) {
	c := cost(w.key)
	if w.own != nil {
		return w.size + c, w.size + c
	}
	return w.size + c, c
}

// segmentOf is the place of the segment that has w's frame.
func (o *outbox) segmentOf(w *waiting) int {
	for i := range o.mu.segments {
		if w.isIn(&o.mu.segments[i]) {
			return i
		}
	}
	return -1
}

func (w *waiting) isIn(s *segment) bool {
	if s.own != nil {
		return w.own == s.own
	}
	return w.shared == s.shared
}

// spliceLocked puts the frame of m in the place of w's, in the same chunk.
func (o *outbox) spliceLocked(w *waiting, m *keyed) (write bool) {
	encoded := bytespool.Get()
	defer encoded.Release()
	encoded.B = m.appendFrame(encoded.B)
	n := len(encoded.B) - w.size
	w.own.B = slices.Replace(w.own.B, w.at, w.at+w.size, encoded.B...)
	if n == 0 {
		return o.addedLocked(0)
	}
	w.size += n
	shrink(w.own)
	w.shift(n)
	return o.queuedLocked(&o.mu.segments[o.segmentOf(w)], n)
}

// swapLocked puts the shared frame of m in the place of w's.
func (o *outbox) swapLocked(w *waiting, m *keyed) (write bool) {
	s := &o.mu.segments[o.segmentOf(w)]
	s.shared.drop()
	s.shared = m.shared
	n := len(s.shared.b) - w.size
	w.shared, w.size = m.shared, len(m.shared.b)
	return o.queuedLocked(s, n)
}

// shift takes note that what follows w in its chunk has moved by n.
func (w *waiting) shift(n int) {
	for next := w.next; next != nil && next.own == w.own; next = next.next {
		next.at += n
	}
}

// shrink gives up memory that has become too much. What is in c stays where it is.
func shrink(c *bytespool.Buffer) {
	if cap(c.B) > bytespool.MaxRecycled && len(c.B) < cap(c.B)/4 {
		c.B = slices.Clone(c.B)
	}
}

// takeOutLocked takes w's frame out of segment i, which is gone if it had no other.
func (o *outbox) takeOutLocked(w *waiting) (i int) {
	i = o.segmentOf(w)
	s := &o.mu.segments[i]
	n := w.size
	if w.own != nil {
		w.own.B = slices.Delete(w.own.B, w.at, w.at+n)
		shrink(w.own)
		w.shift(-n)
		o.mu.own -= n
	}
	s.ofQueue -= n
	o.mu.queued -= n
	o.mu.pending -= n
	if w.own != nil && len(s.bytes()) > 0 {
		return i
	}
	recycle([]segment{*s})
	o.mu.segments = slices.Delete(o.mu.segments, i, i+1)
	return i
}

// makeWayLocked takes w's frame out, and returns the place of the segment that has
// to follow what will stand there instead.
func (o *outbox) makeWayLocked(w *waiting) (i int) {
	i = o.takeOutLocked(w)
	if w.own == nil || i == len(o.mu.segments) || !w.isIn(&o.mu.segments[i]) {
		return i
	}
	s := &o.mu.segments[i]
	switch w.at {
	case s.front:
		return i
	case len(w.own.B):
		return i + 1
	}
	rest := segment{own: bytespool.Get()}
	rest.own.B = append(rest.own.B, w.own.B[w.at:]...)
	for left := rest.own.B; len(left) > 0; {
		n := frame.Size(left)
		if !isControl(left) {
			rest.ofQueue += n
		}
		left = left[n:]
	}
	w.own.B = w.own.B[:w.at]
	s.ofQueue -= rest.ofQueue
	for next := w.next; next != nil && next.own == w.own; next = next.next {
		next.own, next.at = rest.own, next.at-w.at
	}
	o.mu.segments = slices.Insert(o.mu.segments, i+1, rest)
	return i + 1
}

// insertLocked puts the frame of m, which is w's now, in front of segment i.
func (o *outbox) insertLocked(i int, w *waiting, m *keyed) (write bool) {
	if !m.copied() {
		w.own, w.at, w.shared, w.size = nil, 0, m.shared, len(m.shared.b)
		o.mu.segments = slices.Insert(o.mu.segments, i, segment{shared: m.shared})
		return o.queuedLocked(&o.mu.segments[i], w.size)
	}
	if i == 0 || !o.mu.segments[i-1].takesMore() || len(o.mu.segments[i-1].own.B) >= keyedChunk {
		c := bytespool.Get()
		o.mu.segments = slices.Insert(o.mu.segments, i, segment{own: c})
		i++
	}
	s := &o.mu.segments[i-1]
	w.own, w.at, w.shared = s.own, len(s.own.B), nil
	s.own.B = m.appendFrame(s.own.B)
	w.size = len(s.own.B) - w.at
	return o.queuedLocked(s, w.size)
}

// joinLocked puts the frames of segments i-1 and i, which w was or is in or
// between, in one chunk if they are few: conflating would leave ever more chunks
// with little in them.
func (o *outbox) joinLocked(i int, w *waiting) {
	if i <= 0 || i >= len(o.mu.segments) {
		return
	}
	a, b := &o.mu.segments[i-1], &o.mu.segments[i]
	if !a.takesMore() || !b.takesMore() || len(a.own.B)+len(b.bytes()) > keyedChunk {
		return
	}
	by := len(a.own.B) - b.front
	next, prev := w.next, w.prev
	for next != nil && next.movesTo(a.own, b.own, by) {
		next = next.next
	}
	for prev != nil && prev.movesTo(a.own, b.own, by) {
		prev = prev.prev
	}
	a.own.B = append(a.own.B, b.bytes()...)
	a.ofQueue += b.ofQueue
	b.own.Release()
	o.mu.segments = slices.Delete(o.mu.segments, i, i+1)
}

// movesTo takes note that what was in b is in a now, moved by so much. It is false
// if w is in neither.
func (w *waiting) movesTo(a, b *bytespool.Buffer, by int) bool {
	if w.own == b {
		w.own, w.at = a, w.at+by
	}
	return w.own == a
}

// link puts w behind the others.
func (k *keys) link(w *waiting) {
	w.prev, w.next = k.last, nil
	if k.last == nil {
		k.first = w
	} else {
		k.last.next = w
	}
	k.last = w
}

func (k *keys) unlink(w *waiting) {
	if w.prev == nil {
		k.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		k.last = w.prev
	} else {
		w.next.prev = w.prev
	}
}
