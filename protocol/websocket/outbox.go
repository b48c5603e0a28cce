package websocket

import (
	"sync"

	"github.com/wye-go/wye/protocol"
)

// outbox is what a connection has to write, in order. Whoever adds to it learns
// whether somebody is going to write it; if nobody is, the adder has to see to
// it. So there is one writer at a time, without a goroutine that waits.
type outbox struct {
	mu struct {
		sync.Mutex
		segments []segment
		queued   int  // bytes of messages added and not yet written: what is bounded
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
	shared  []byte
	ofQueue int // bytes of messages in it
}

func (s segment) bytes() []byte {
	if s.own != nil {
		return s.own.b
	}
	return s.shared
}

// size is that of segments: all of it, and what is of messages.
type size struct{ all, ofQueue int }

func sizeOf(segments []segment) (n size) {
	for _, s := range segments {
		n.all += len(s.bytes())
		n.ofQueue += s.ofQueue
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

// message adds a message of this connection's own. write says that the caller
// has to see to the writing.
func (o *outbox) message(m protocol.Message, limit int) (write bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.admitLocked(len(m.Data), limit); err != nil {
		return false, err
	}
	c := o.tailLocked()
	before := len(c.b)
	c.b = appendFrame(c.b, opOf(m.Kind), m.Data)
	return o.queuedLocked(len(c.b) - before), nil
}

// prepared adds a message that other connections share: a copy of a small frame,
// a reference to a large one.
func (o *outbox) prepared(p *protocol.Prepared, limit int) (write bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.admitLocked(p.Len(), limit); err != nil {
		return false, err
	}
	if p.Len() < copyBelow {
		c := o.tailLocked()
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
	c := o.tailLocked()
	c.b = append(c.b, f...)
	return o.addedLocked(len(f))
}

// admitLocked decides whether n bytes may be added: always if there are none.
func (o *outbox) admitLocked(n, limit int) error {
	switch {
	case o.mu.final:
		return protocol.ErrClosed
	case o.mu.queued > 0 && o.mu.queued+n > limit:
		o.mu.full = true
		return protocol.ErrFull
	}
	return nil
}

func (o *outbox) tailLocked() *chunk {
	if n := len(o.mu.segments); n > 0 && o.mu.segments[n-1].own != nil {
		return o.mu.segments[n-1].own
	}
	c := chunks.Get().(*chunk) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	o.mu.segments = append(o.mu.segments, segment{own: c})
	return c
}

// queuedLocked takes note of n bytes of a message in the last segment.
func (o *outbox) queuedLocked(n int) (write bool) {
	o.mu.segments[len(o.mu.segments)-1].ofQueue += n
	o.mu.queued += n
	return o.addedLocked(n)
}

func (o *outbox) addedLocked(n int) (write bool) {
	o.mu.pending += n
	write = !o.mu.held
	o.mu.held = true
	return write
}

// take gives its holder everything there is, to be written; done is what take
// gave before. If there is nothing, the hold is over.
func (o *outbox) take(done []segment) []segment {
	clear(done)
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.mu.segments
	if len(taken) == 0 {
		o.mu.held = false
		if cap(done) > cap(taken) {
			o.mu.segments = done[:0]
		}
		return nil
	}
	o.mu.segments = done[:0]
	return taken
}

// abort drops everything, for good.
func (o *outbox) abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.final, o.mu.segments, o.mu.queued, o.mu.pending = true, nil, 0, 0
}

// wrote tells that segments of that size have been written. drained says that a
// sender who was refused may try again.
func (o *outbox) wrote(n size, limit int) (drained bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.queued = max(o.mu.queued-n.ofQueue, 0)
	o.mu.pending = max(o.mu.pending-n.all, 0)
	if o.mu.full && o.mu.queued <= limit/2 {
		o.mu.full = false
		return true
	}
	return false
}

// isFull reports whether nothing but a close should be added.
func (o *outbox) isFull(limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.pending > limit
}

// finished reports whether the last bytes have been written.
func (o *outbox) finished() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.final && o.mu.pending == 0
}
