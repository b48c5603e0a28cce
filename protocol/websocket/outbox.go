package websocket

import (
	"slices"
	"sync"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/bytespool"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
)

// outbox is what a connection has to write, in order. Whoever adds to it learns
// whether somebody is going to write it; if nobody is, the adder has to see to
// it. So there is one writer at a time, without a goroutine that waits.
type outbox struct {
	budget  *budget
	session *protocol.Session // knows whether a queue may go beyond its limit; nil: it may not
	mu      struct {
		sync.Mutex
		messages int64 // added so far
		payload  int64 // bytes of them
		segments []segment
		keys     *keys // of messages that may be replaced; nil as long as there was none
		queued   int   // bytes of messages added and not yet written, and what keys cost: what is bounded
		pending  int   // bytes of all frames added and not yet written
		own      int   // of pending, what is not shared, and what keys cost
		charged  int   // of own, to the budget
		copied   int   // of the message that was refused last, what would have been own
		shares   int   // and what its shared frame would have been charged
		held     bool  // somebody writes, or will before long
		lazy     bool  // and it is the one who reads, when his turn ends
		full     bool  // a send has been refused since the queue was last half empty
		high     bool  // the session was asked whether the queue may grow, since it was last half empty
		final    bool  // nothing may follow
	}
}

// segment is bytes that lie together: own ones, which are added to, or those of
// a frame that is shared with other connections.
type segment struct {
	own     *bytespool.Buffer
	front   int // of own, how much was dropped
	shared  *sharedFrame
	ofQueue int  // bytes of messages in it
	fixed   bool // nothing is added to it, and nothing dropped
}

func (s *segment) bytes() []byte {
	switch {
	case s.own != nil:
		return s.own.B[s.front:]
	case s.shared != nil:
		return s.shared.b
	}
	return nil
}

// size is that of segments: all of it, what is of messages, what is not shared, and
// what is shared but held here only.
type size struct{ all, ofQueue, own, held int }

func sizeOf(segments []segment) (n size) {
	for _, s := range segments {
		n.all += len(s.bytes())
		n.ofQueue += s.ofQueue
		switch {
		case s.own != nil:
			n.own += len(s.bytes())
		case s.shared != nil && s.shared.places.Load() == 1:
			n.held += cap(s.shared.b)
		}
	}
	return n
}

const (
	keptSegments = 32      // length up to which a list of segments is used again
	copyBelow    = 2 << 10 // shared frames smaller than this are copied: cheaper than another piece for writev
)

// hold claims the writing for the turn of the one who reads, if nobody has it.
func (o *outbox) hold() (mine bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.held {
		return false
	}
	o.mu.held, o.mu.lazy = true, true
	return true
}

// begin puts the answer to the handshake in front, and claims the writing.
func (o *outbox) begin(answer *bytespool.Buffer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.segments = append(o.mu.segments, segment{own: answer, fixed: true})
	o.mu.own += len(answer.B)
	o.addedLocked(len(answer.B))
}

// message adds a message of this connection's own. write says that the caller
// has to see to the writing.
func (o *outbox) message(m protocol.Message) (write bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.admitLocked(len(m.Data), len(m.Data), nil); err != nil {
		return false, err
	}
	s := o.tailLocked()
	before := len(s.own.B)
	s.own.B = frame.Append(s.own.B, frame.OpCodeOf(m.Kind), m.Data)
	o.countLocked(len(m.Data))
	return o.queuedLocked(s, len(s.own.B)-before), nil
}

// prepared adds a message that other connections share: a copy of a small frame,
// a reference to a large one.
func (o *outbox) prepared(p *protocol.Prepared) (write bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.Len() >= copyBelow {
		return o.sharedLocked(sharedFrameOf(p, o.budget.pool), p.Len())
	}
	if err := o.admitLocked(p.Len(), p.Len(), nil); err != nil {
		return false, err
	}
	o.countLocked(p.Len())
	s := o.tailLocked()
	before := len(s.own.B)
	s.own.B = p.AppendFrame(s.own.B, frame.Plain, frame.AppendMessage)
	return o.queuedLocked(s, len(s.own.B)-before), nil
}

// sharedLocked adds the frame of a message of n bytes.
func (o *outbox) sharedLocked(f *sharedFrame, n int) (write bool, err error) {
	if err := o.admitLocked(n, 0, f); err != nil {
		return false, err
	}
	o.countLocked(n)
	o.mu.segments = append(o.mu.segments, segment{shared: f})
	return o.queuedLocked(&o.mu.segments[len(o.mu.segments)-1], len(f.b)), nil
}

// countLocked takes note of a message of n bytes that is added.
func (o *outbox) countLocked(n int) {
	o.mu.messages++
	o.mu.payload += int64(n)
}

// sent returns how many messages were added so far, and their bytes.
func (o *outbox) sent() (messages, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.messages, o.mu.payload
}

// control adds a copy of f, whatever the limit; nothing follows if it is final.
func (o *outbox) control(final bool, f []byte) (write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.final {
		return false
	}
	o.mu.final = final
	o.chargeLocked(len(f), true)
	return o.controlLocked(f)
}

func (o *outbox) controlLocked(f []byte) (write bool) {
	s := o.tailLocked()
	s.own.B = append(s.own.B, f...)
	o.mu.own += len(f)
	return o.addedLocked(len(f))
}

// admitLocked decides whether a message of n bytes, of which so many are to be
// copied, may be added: always if there are none. If it may be, f, which may be nil,
// has a place in this queue.
func (o *outbox) admitLocked(n, copied int, f *sharedFrame) error {
	if o.mu.final {
		return protocol.ErrClosed
	}
	empty := o.mu.queued == 0
	if !empty && !o.growsLocked(n) || !o.chargeLocked(copied, empty) || f != nil && !f.hold(empty) {
		o.mu.full, o.mu.copied, o.mu.shares = true, copied, f.charge()
		return protocol.ErrQueueFull
	}
	return nil
}

// growsLocked decides whether the queue, which is not empty, may take n bytes more by
// its own limit.
func (o *outbox) growsLocked(n int) bool {
	switch {
	case o.mu.queued+n <= o.budget.each/2:
		return true
	case o.session == nil:
		return o.mu.queued+n <= o.budget.each
	}
	o.mu.high = true
	return o.session.QueueAdmits(o.mu.queued, n)
}

// chargeLocked takes what n more bytes need from the budget, if they need any.
func (o *outbox) chargeLocked(n int, must bool) bool {
	need := o.mu.own + n - o.mu.charged - freeBytes
	if need <= 0 {
		return true
	}
	need = inUnits(need)
	if !o.budget.take(need, must) {
		return false
	}
	o.mu.charged += need
	return true
}

// refundLocked gives back what is not needed any more, if it is much.
func (o *outbox) refundLocked() {
	if o.mu.charged > 2*o.needLocked(0) {
		o.settleLocked()
	}
}

// settleLocked gives back all that is not needed any more.
func (o *outbox) settleLocked() {
	if spare := o.mu.charged - o.needLocked(0); spare > 0 {
		o.budget.give(spare)
		o.mu.charged -= spare
	}
}

// needLocked is what has to be charged with n more bytes of the queue's own.
func (o *outbox) needLocked(n int) int { return inUnits(max(o.mu.own+n-freeBytes, 0)) }

// takesMore reports whether frames may be added to s.
func (s *segment) takesMore() bool {
	return s.own != nil && !s.fixed && len(s.own.B) < bytespool.MaxRecycled
}

// tailLocked returns the segment that frames are added to.
func (o *outbox) tailLocked() *segment {
	if n := len(o.mu.segments); n > 0 {
		if s := &o.mu.segments[n-1]; s.takesMore() {
			return s
		}
	}
	c := bytespool.Get()
	o.mu.segments = append(o.mu.segments, segment{own: c})
	return &o.mu.segments[len(o.mu.segments)-1]
}

// queuedLocked takes note of n bytes of a message that were added to s.
func (o *outbox) queuedLocked(s *segment, n int) (write bool) {
	s.ofQueue += n
	o.mu.queued += n
	if s.own != nil {
		o.mu.own += n
	}
	return o.addedLocked(n)
}

// addedLocked takes note of n bytes. Whoever holds the writing until the end of
// his turn is not waited for when there is much.
func (o *outbox) addedLocked(n int) (write bool) {
	o.mu.pending += n
	write = !o.mu.held || o.mu.lazy && o.mu.pending >= min(stride, o.budget.each/2)
	if write {
		o.mu.held, o.mu.lazy = true, false
	}
	return write
}

// hurry takes the writing from whoever holds it until the end of his turn, if
// something waits for that: the turn takes long.
func (o *outbox) hurry() (write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	write = o.mu.lazy && o.mu.pending > 0
	if write {
		o.mu.lazy = false
	}
	return write
}

// takeTurn is take at the end of a turn for which the writing was held. mine is
// false if somebody else has it by now.
func (o *outbox) takeTurn() (taken []segment, mine bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.mu.lazy {
		return nil, false
	}
	o.mu.lazy = false
	return o.takeLocked(nil), true
}

// take gives its holder what is to be written next, a stride or one segment at
// the most; done is what take gave before. If there is nothing, the hold is over.
func (o *outbox) take(done []segment) []segment {
	clear(done)
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.takeLocked(done)
}

func (o *outbox) takeLocked(done []segment) []segment {
	all := o.mu.segments
	if cap(done) > keptSegments {
		done = nil
	}
	if len(all) == 0 {
		o.mu.held = false
		if cap(done) > cap(all) {
			o.mu.segments = done[:0]
		}
		return nil
	}
	most := stride
	if o.mu.keys != nil {
		most = keyedChunk // what is taken is not replaced any more
	}
	n, bytes := 1, len(all[0].bytes())
	for n < len(all) && bytes+len(all[n].bytes()) <= most {
		bytes += len(all[n].bytes())
		n++
	}
	if o.mu.keys != nil {
		o.begunLocked(all[:n])
	}
	if n == len(all) {
		o.mu.segments = done[:0]
		return all
	}
	done = append(done[:0], all[:n]...)
	o.mu.segments = slices.Delete(all, 0, n)
	return done
}

// finish lets nothing be added any more.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.final = true
}

// abort drops everything, for good.
func (o *outbox) abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	recycle(o.mu.segments)
	o.mu.final, o.mu.segments, o.mu.keys = true, nil, nil
	o.mu.queued, o.mu.pending, o.mu.own = 0, 0, 0
	o.settleLocked()
}

// wrote tells that segments of that size have been written. drained says that a
// sender who was refused may try again.
func (o *outbox) wrote(n size) (drained bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.queued = max(o.mu.queued-n.ofQueue, 0)
	o.mu.pending = max(o.mu.pending-n.all, 0)
	o.mu.own = max(o.mu.own-n.own, 0)
	o.refundLocked()
	if o.mu.queued > o.budget.each/2 {
		return false
	}
	if o.mu.high {
		o.mu.high = false
		o.session.QueueDrained()
	}
	drained = o.mu.full
	o.mu.full = false
	return drained
}

// offer is control for a frame that may be left out: there is no room for it, or
// the peer is not reading anyway.
func (o *outbox) offer(f []byte) (write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.final || o.mu.pending > o.budget.each || !o.chargeLocked(len(f), false) {
		return false
	}
	return o.controlLocked(f)
}

// busy reports whether there is anything that is not written.
func (o *outbox) busy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.pending > 0
}

// finished reports whether the last bytes have been written.
func (o *outbox) finished() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.final && o.mu.pending == 0
}
