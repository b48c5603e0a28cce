package websocket

import (
	"slices"
	"sync"

	"github.com/wye-go/wye/protocol"
)

// outbox is what a connection has to write, in order. Whoever adds to it learns
// whether somebody is going to write it; if nobody is, the adder has to see to
// it. So there is one writer at a time, without a goroutine that waits.
type outbox struct {
	budget *budget
	mu     struct {
		sync.Mutex
		segments []segment
		queued   int  // bytes of messages added and not yet written: what is bounded
		charged  int  // of them, to the budget
		pending  int  // bytes of all frames added and not yet written
		held     bool // somebody writes, or will before long
		full     bool // a send has been refused since the queue was last half empty
		final    bool // nothing may follow
	}
}

// segment is bytes that lie together: own ones, which are added to, or those of
// a frame that is shared with other connections.
type segment struct {
	own     *chunk
	front   int // of own, how much was dropped
	shared  []byte
	control bool // no messages: control frames, and the answer to the handshake
}

func (s segment) bytes() []byte {
	if s.own != nil {
		return s.own.b[s.front:]
	}
	return s.shared
}

// size is that of segments: all of it, and what is of messages.
type size struct{ all, ofQueue int }

func sizeOf(segments []segment) (n size) {
	for _, s := range segments {
		n.all += len(s.bytes())
		if !s.control {
			n.ofQueue += len(s.bytes())
		}
	}
	return n
}

// chunk is a buffer that a connection has while it needs one.
type chunk struct{ b []byte }

const (
	newChunk  = 2 << 10  // size of a new chunk
	keptChunk = 64 << 10 // size up to which one is used again
	copyBelow = 2 << 10  // shared frames smaller than this are copied: cheaper than another piece for writev
)

var chunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, newChunk)} }}

func (c *chunk) add(s string) { c.b = append(c.b, s...) }

func (c *chunk) release() {
	if cap(c.b) <= keptChunk {
		c.b = c.b[:0]
		chunks.Put(c)
	}
}

// hold claims the writing, if nobody has it.
func (o *outbox) hold() (mine bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.held {
		return false
	}
	o.mu.held = true
	return true
}

// begin puts the answer to the handshake in front, and claims the writing.
func (o *outbox) begin(answer *chunk) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.segments = append(o.mu.segments, segment{own: answer, control: true})
	o.addedLocked(len(answer.b))
}

// message adds a message of this connection's own. write says that the caller
// has to see to the writing.
func (o *outbox) message(m protocol.Message) (write bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.admitLocked(len(m.Data)); err != nil {
		return false, err
	}
	c := o.tailLocked(false)
	before := len(c.b)
	c.b = appendFrame(c.b, opOf(m.Kind), m.Data)
	return o.queuedLocked(len(c.b) - before), nil
}

// prepared adds a message that other connections share: a copy of a small frame,
// a reference to a large one.
func (o *outbox) prepared(p *protocol.Prepared) (write bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.admitLocked(p.Len()); err != nil {
		return false, err
	}
	if p.Len() < copyBelow {
		c := o.tailLocked(false)
		before := len(c.b)
		c.b = p.AppendFrame(c.b, plain, encodePlain)
		return o.queuedLocked(len(c.b) - before), nil
	}
	f := p.Frame(plain, encodePlain)
	o.mu.segments = append(o.mu.segments, segment{shared: f})
	return o.queuedLocked(len(f)), nil
}

// control adds a copy of f, whatever the limit; nothing follows if it is final.
func (o *outbox) control(final bool, f []byte) (write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.final {
		return false
	}
	o.mu.final = final
	c := o.tailLocked(true)
	c.b = append(c.b, f...)
	return o.addedLocked(len(f))
}

// admitLocked decides whether a message of n bytes may be added: always if there
// are none.
func (o *outbox) admitLocked(n int) error {
	if o.mu.final {
		return protocol.ErrClosed
	}
	if o.mu.queued > 0 && o.mu.queued+n > o.budget.each || !o.chargeLocked(n) {
		o.mu.full = true
		return protocol.ErrFull
	}
	return nil
}

// chargeLocked takes what n more bytes need from the budget, if they need any.
func (o *outbox) chargeLocked(n int) bool {
	need := o.mu.queued + n - o.mu.charged - freeBytes
	if need <= 0 {
		return true
	}
	need += -need & (chargeUnit - 1) // in whole units
	if !o.budget.take(need, o.mu.queued == 0) {
		return false
	}
	o.mu.charged += need
	return true
}

// refundLocked gives back what is not needed any more.
func (o *outbox) refundLocked() {
	if o.mu.charged > 0 && o.mu.queued <= freeBytes {
		o.budget.give(o.mu.charged)
		o.mu.charged = 0
	}
}

// tailLocked returns the chunk that frames are added to.
func (o *outbox) tailLocked(control bool) *chunk {
	if n := len(o.mu.segments); n > 0 {
		s := &o.mu.segments[n-1]
		if s.own != nil && s.control == control && len(s.own.b) < keptChunk {
			return s.own
		}
	}
	c := chunks.Get().(*chunk) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	o.mu.segments = append(o.mu.segments, segment{own: c, control: control})
	return c
}

// queuedLocked takes note of n bytes of a message that were added.
func (o *outbox) queuedLocked(n int) (write bool) {
	o.mu.queued += n
	return o.addedLocked(n)
}

func (o *outbox) addedLocked(n int) (write bool) {
	o.mu.pending += n
	write = !o.mu.held
	o.mu.held = true
	return write
}

// take gives its holder what is to be written next, a stride or one segment at
// the most; done is what take gave before. If there is nothing, the hold is over.
func (o *outbox) take(done []segment) []segment {
	clear(done)
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.mu.segments
	if len(all) == 0 {
		o.mu.held = false
		if cap(done) > cap(all) {
			o.mu.segments = done[:0]
		}
		return nil
	}
	n, bytes := 1, len(all[0].bytes())
	for n < len(all) && bytes+len(all[n].bytes()) <= stride {
		bytes += len(all[n].bytes())
		n++
	}
	if n == len(all) {
		o.mu.segments = done[:0]
		return all
	}
	done = append(done[:0], all[:n]...)
	o.mu.segments = slices.Delete(all, 0, n)
	return done
}

// dropOldest drops messages that nobody has begun to write, until one of n bytes
// can be added or none is left.
func (o *outbox) dropOldest(n int) (dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.mu.queued
	kept := o.mu.segments[:0]
	for _, s := range o.mu.segments {
		for !s.control && len(s.bytes()) > 0 && !o.fitsLocked(n) {
			size := len(s.shared)
			if s.own != nil {
				size = frameSize(s.bytes())
			}
			o.mu.queued -= size
			dropped++
			if s.shared = nil; s.own != nil {
				s.front += size
			}
		}
		if len(s.bytes()) > 0 {
			kept = append(kept, s)
		} else {
			recycle([]segment{s})
		}
	}
	clear(o.mu.segments[len(kept):])
	o.mu.segments = kept
	o.mu.pending -= before - o.mu.queued
	o.refundLocked()
	return dropped
}

// fitsLocked reports whether a message of n bytes could be added.
func (o *outbox) fitsLocked(n int) bool {
	return o.mu.queued == 0 || o.mu.queued+n <= o.budget.each && o.mu.queued+n-o.mu.charged-freeBytes <= 0
}

// abort drops everything, for good.
func (o *outbox) abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.final, o.mu.segments, o.mu.queued, o.mu.pending = true, nil, 0, 0
	o.refundLocked()
}

// wrote tells that segments of that size have been written. drained says that a
// sender who was refused may try again.
func (o *outbox) wrote(n size) (drained bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.queued = max(o.mu.queued-n.ofQueue, 0)
	o.mu.pending = max(o.mu.pending-n.all, 0)
	o.refundLocked()
	if o.mu.full && o.mu.queued <= o.budget.each/2 {
		o.mu.full = false
		return true
	}
	return false
}

// isFull reports whether nothing but a close should be added.
func (o *outbox) isFull() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.pending > o.budget.each
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
