// Package queue is the outgoing queue of a connection: the frames that are to be
// written, in order, within bounds. It knows the size of frames and nothing of what is
// in them. It has no lock, goroutine, clock or socket.
package queue

import (
	"sync"

	"github.com/wye-go/wye/internal/conflate"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// Queue is what a connection has to write. All sizes are in bytes on the wire. It is
// not safe for concurrent use. Budget must be set; an empty queue holds no memory but
// its own four words.
//
// Some methods are passed what decides whether the queue may grow: nil if it never exceeds
// Budget.Each. It must be the same at each call.
//
// What is queued waits until [Queue.Peek] starts it. A message that waits can be dropped
// or replaced; one that is started cannot.
type Queue struct {
	Budget *Budget

	refs    *refs  // in front of state; nil if there are none
	state   *state // nil if nothing else is queued
	final   bool   // nothing may be added
	refused bool   // a message has been refused since the queue was last at most half full
	high    bool   // Growth.QueueAdmits was called since then
}

// Growth decides whether a queue that is more than half full may grow.
// [*protocol.Session] implements it.
type Growth interface {
	// QueueAdmits reports whether a queue that holds queued bytes may take n more.
	QueueAdmits(queued, n int) bool
	// QueueDrained is called after QueueAdmits when the queue is at most half full.
	QueueDrained()
}

// state is a queue that is not empty.
type state struct {
	waiting conflate.Queue[entry]
	tail    chunk   // behind all that waits: small messages alone need no list
	writing bool    // tail is started, and all there is
	started []entry // written in part, or to be written next
	written int     // bytes of started[0] that are written, or of tail
	lent    bool    // the caller of Peek may be reading started
	aborted bool
	pieces  [][]byte // of Peek
	spare   *buffer  // of the entry written last, for the next; nil if there is none

	sizes sizes // of the frames in chunks that wait

	queued  int // bytes of messages, with what the keys of those that wait cost: bounded by Budget.Each
	pending int // bytes of all frames
	account account
	need    need

	first struct { // memory of the lists above, so that few allocations make a state
		started [1]entry
		pieces  [1][]byte
		sizes   [4]uint16
	}
}

// need is what the message that was refused last needs from the pool.
type need struct{ own, shared int }

const (
	chunkSize   = 2 << 10  // of a chunk's first buffer
	keyedPeek   = 16 << 10 // bytes that are started at once while messages with keys wait, at most
	keptEntries = 32       // capacity up to which the lists of an empty queue are recycled
)

// cost returns what a message that waits counts because of its key.
func cost(key string) int {
	if key == "" {
		return 0
	}
	return len(key) + plumbing.KeyOverhead
}

var states = sync.Pool{New: func() any {
	s := new(state)
	s.started, s.pieces, s.sizes.list = s.first.started[:0], s.first.pieces[:0], s.first.sizes[:0]
	return s
}}

// nonempty returns the state of a queue to which something is about to be added.
func (q *Queue) nonempty() *state {
	if q.state == nil {
		q.state = newState()
	} else if q.state.writing {
		q.state.listTail()
	}
	return q.state
}

func newState() *state { return states.Get().(*state) } //nolint:errcheck,forcetypeassert // the pool holds nothing else

// hasWaiting reports whether an entry waits.
func (s *state) hasWaiting() bool { return s.tail.own != nil || s.waiting.Len() > 0 }

// listTail moves tail into the list of what waits, or of what is started.
func (s *state) listTail() {
	switch {
	case s.tail.own == nil:
		return
	case s.writing:
		s.writing = false
		s.startTail()
		return
	}
	hasMessages := s.tail.messages > 0
	var e entry
	s.tail.moveTo(&e)
	s.waiting.Append(e)
	if hasMessages {
		s.waiting.Fence()
	}
}

// recycle gives up the memory of a queue that is empty.
func (q *Queue) recycle() {
	s := q.state
	if s == nil || len(s.started) > 0 || s.hasWaiting() {
		return
	}
	q.state = nil
	s.put()
}

// put recycles s, which is empty.
func (s *state) put() {
	s.aborted, s.need = false, need{}
	if cap(s.started) > keptEntries || cap(s.pieces) > keptEntries {
		s.started, s.pieces = s.first.started[:0], s.first.pieces[:0]
	}
	states.Put(s)
}

// Pending returns how many bytes are not yet written.
func (q *Queue) Pending() int {
	n := q.refs.queued()
	if q.state != nil {
		n += q.state.pending
	}
	return n
}

// queued returns what Budget.Each bounds.
func (q *Queue) queued() int {
	n := q.refs.queued()
	if q.state != nil {
		n += q.state.queued
	}
	return n
}

// Memory returns how much memory the queue has for frames, without what is shared.
func (q *Queue) Memory() (n int) {
	if q.refs != nil && q.refs.gathered != nil {
		n = cap(q.refs.gathered.B)
	}
	if q.state == nil {
		return n
	}
	if q.state.spare != nil {
		n += cap(q.state.spare.b)
	}
	for i := range q.state.started {
		n += q.state.started[i].memory()
	}
	for _, e := range q.state.waiting.All() {
		n += e.memory()
	}
	if q.state.tail.own != nil {
		n += cap(q.state.tail.own.b)
	}
	return n + 2*cap(q.state.sizes.list)
}

// Ready reports whether Peek would return anything.
func (q *Queue) Ready() bool {
	if q.refs != nil {
		return !q.refs.aborted
	}
	s := q.state
	if s == nil || s.aborted {
		return false
	}
	if len(s.started) > 0 {
		return true
	}
	if first, _ := s.waiting.First(); first != nil {
		return first.reserved() == 0
	}
	return s.tail.own != nil
}

// Finish lets nothing more be added.
func (q *Queue) Finish() { q.final = true }

// Finished reports whether nothing can be added, and all is written.
func (q *Queue) Finished() bool { return q.final && q.Pending() == 0 }

// AddMessage queues the frame of a message, of n bytes. It returns them for the caller
// to fill before the next call. The error is protocol.ErrQueueFull or protocol.ErrClosed.
func (q *Queue) AddMessage(n int, g Growth) ([]byte, error) {
	if q.refs == nil && !q.final && n <= FreeBytes { // mostly it may, and nothing is charged
		switch s := q.state; {
		case s == nil:
			q.state = newState()
			return q.state.addFirst(n), nil
		case s.queued+n <= q.Budget.Each/2 && s.account.own+n <= FreeBytes && s.tailHasRoom(n):
			return s.addToTail(n), nil
		}
	}
	if err := q.admit(n, n, nil, g); err != nil {
		return nil, err
	}
	return q.state.extend(n, true), nil
}

// Add queues f, which then belongs to the queue. If it returns an error,
// protocol.ErrQueueFull or protocol.ErrClosed, f is released.
func (q *Queue) Add(f Frame, g Growth) error {
	n := f.size()
	if err := q.admit(n, f.ownSize(), f.shared, g); err != nil {
		f.discard()
		return err
	}
	s := q.state
	s.listTail()
	s.waiting.Fence()
	s.waiting.Append(entry{Frame: f, messages: n})
	s.count(n, n, f.ownSize())
	return nil
}

// AddControl queues a copy of control frames, or of other bytes that count as such,
// whatever the bounds. Nothing can be added afterwards if final is set. It reports
// whether anything was queued: nothing is if the queue is final.
func (q *Queue) AddControl(frames []byte, final bool) bool {
	if q.final {
		return false
	}
	q.final = final
	s := q.nonempty()
	s.account.charge(q.Budget.Pool, len(frames), true)
	copy(s.extend(len(frames), false), frames)
	return true
}

// OfferControl is AddControl for a frame that may be left out, if there is no room.
func (q *Queue) OfferControl(frame []byte) bool {
	if q.final || q.Pending() > q.Budget.Each || !q.nonempty().account.charge(q.Budget.Pool, len(frame), false) {
		q.recycle()
		return false
	}
	copy(q.state.extend(len(frame), false), frame)
	return true
}

// addFirst is extend for a message of at most FreeBytes and an empty queue.
func (s *state) addFirst(n int) []byte {
	s.sizes.add(n, true)
	s.queued, s.pending, s.account.own = n, n, n
	own := s.spare
	if own == nil || cap(own.b) < n {
		own = s.newBuffer(max(n, chunkSize))
	}
	s.spare = nil
	s.tail.own, s.tail.frames, s.tail.messages = own, 1, n
	own.b = own.b[:n]
	return own.b
}

// tailHasRoom reports whether a frame of n bytes fits into tail as it is.
func (s *state) tailHasRoom(n int) bool {
	own := s.tail.own
	return own != nil && !s.writing && n <= cap(own.b)-len(own.b)
}

// addToTail is extend for a message and a tail that has room for it.
func (s *state) addToTail(n int) []byte {
	s.sizes.add(n, true)
	s.queued += n
	s.pending += n
	s.account.own += n
	s.tail.frames++
	s.tail.messages += n
	own := s.tail.own
	size := len(own.b)
	own.b = own.b[:size+n]
	return own.b[size:]
}

// extend appends a frame of n bytes to the last chunk, or to a new one.
func (s *state) extend(n int, message bool) []byte {
	if n > maxChunked {
		return s.extendAlone(n, message)
	}
	s.sizes.add(n, message)
	s.pending += n
	s.account.own += n
	messages := 0
	if message {
		messages = n
		s.queued += n
	}
	if s.tail.own == nil || len(s.tail.own.b) >= maxChunk {
		if last := s.newTail(n, message); last != nil {
			last.frames++
			last.messages += messages
			return last.own.extend(n)
		}
	}
	s.tail.frames++
	s.tail.messages += messages
	return s.tail.own.extend(n)
}

// newTail starts a chunk for a frame of n bytes, unless there is one in the list to which
// it can be added.
func (s *state) newTail(n int, message bool) (last *entry) {
	s.listTail()
	last = s.waiting.Last()
	if last != nil && last.takesMore() {
		if message {
			s.waiting.Fence()
		}
		return last
	}
	if message || last == nil {
		n = max(n, chunkSize)
	}
	s.tail.own = s.newBuffer(n)
	return nil
}

// extendAlone appends a frame that is too large for a chunk.
func (s *state) extendAlone(n int, message bool) []byte {
	s.listTail()
	e := entry{Frame: Frame{own: s.newBuffer(n)}}
	if message {
		e.messages = n
		s.queued += n
	}
	s.waiting.Append(e)
	if message {
		s.waiting.Fence()
	}
	s.count(0, n, n)
	return e.own.extend(n)
}

// newBuffer returns a buffer with room for n bytes: the spare one if it is of that size.
func (s *state) newBuffer(n int) *buffer {
	b := s.spare
	if b == nil {
		return newBuffer(n)
	}
	s.spare = nil
	if c := cap(b.b); c < n || c > 2*n {
		b.release()
		return newBuffer(n)
	}
	return b
}

// release gives up what is in e. Its buffer becomes the spare one if it is small, because
// that is not charged, and stays while the state is used by other queues.
func (s *state) release(e *entry) {
	if e.own == nil || s.spare != nil || cap(e.own.b) > chunkSize {
		e.release()
	} else {
		s.spare, e.own.b = e.own, e.own.b[:0]
	}
	e.own, e.shared, e.dropped, e.frames, e.messages = nil, nil, 0, 0, 0
}

// count counts bytes that are added, or, if they are negative, that are gone.
func (s *state) count(queued, pending, own int) {
	s.queued += queued
	s.pending += pending
	s.account.own += own
}

// Replace queues f as Add does, as the message with that key, in the place of the one
// with that key that waits, if there is one; protocol.Message says when it goes to the
// end instead. replaced reports whether there was one. If there is no room, it stays.
func (q *Queue) Replace(key string, f Frame, g Growth) (replaced bool, err error) {
	n, cost := f.size(), cost(key)
	var old entry
	if q.state != nil {
		q.state.listTail()
		if waits := q.state.waiting.Find(key); waits != nil {
			old, replaced = *waits, true
			q.uncount(&old, cost) // what it counts is as good as free
			if old.shared != nil {
				old.shared.drop()
			}
		}
	}
	err = q.admit(n+cost, f.ownSize()+cost, f.shared, g)
	switch {
	case err == nil:
		q.state.waiting.Put(key, entry{Frame: f, messages: n})
		q.state.count(n+cost, n, f.ownSize()+cost)
		if old.own != nil {
			old.own.release()
		}
		q.state.account.refundMuch(q.Budget.Pool)
		return replaced, nil
	case replaced:
		q.state.count(old.messages+cost, old.messages, old.ownSize()+cost)
		if old.shared != nil {
			old.shared.hold(true)
		}
	}
	f.discard()
	return false, err
}

// Fill makes reserved, which ReserveFrame has returned and the queue has taken, the frame
// f, which has the same size. It does not matter if it was dropped or replaced meanwhile.
func (q *Queue) Fill(reserved, f Frame) {
	reserved.own.b, reserved.own.reserved, f.own.b = f.own.b, 0, nil
	emptyBuffers.Put(f.own) // and not that of reserved, if it was dropped: others may know it
}

// uncount takes an entry out of the counts, and what its key costs.
func (q *Queue) uncount(e *entry, cost int) {
	own := 0
	if e.own != nil {
		own = e.size()
	}
	q.state.count(-e.messages-cost, -e.size(), -own-cost)
}

// admit decides whether a message of n bytes may be added, of which own bytes go to
// memory of the queue's own. It may if there is none. If it may, the queue holds shared,
// which may be nil.
func (q *Queue) admit(n, own int, shared *Shared, g Growth) error {
	if q.final {
		return protocol.ErrClosed
	}
	s := q.nonempty()
	empty := q.queued() == 0
	if !empty && !q.mayGrow(n, g) || !s.account.charge(q.Budget.Pool, own, empty) || shared != nil && !shared.hold(empty) {
		q.refused, s.need = true, need{own, shared.price()}
		return protocol.ErrQueueFull
	}
	return nil
}

// mayGrow decides whether the queue, which is not empty, may take n bytes more by its
// own bound.
func (q *Queue) mayGrow(n int, g Growth) bool {
	switch queued := q.queued(); {
	case queued+n <= q.Budget.Each/2:
		return true
	case g == nil:
		return queued+n <= q.Budget.Each
	default:
		q.high = true
		return g.QueueAdmits(queued, n)
	}
}
