package engine

import (
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

// maxPeek is how many bytes are written at once, so that the writer does not take long
// to notice what changes, and a write's deadline is its own.
const maxPeek = 128 << 10

// outgoing is the queue of a connection, and the right to write what is in it.
//
//   - The right has no owner: an addition gives it to its caller, which starts a writer. No
//     goroutine waits for something to write.
//   - A writer owns it: it peeks, writes, and calls wrote, until wrote reports that there
//     is no more.
//   - A batch is on, because the reader runs callbacks for what it has read: additions
//     leave the right where it is, and the reader gets it when it ends the batch, so that
//     one write has all of them.
//
// All methods are safe for concurrent use. Where they return write, true means that the
// caller owns the right to write, and has to start a writer. What decides whether the queue
// may grow is the same at each call.
type outgoing struct {
	mu struct {
		sync.Mutex
		owned    bool        // a writer is active or about to start
		batching atomic.Bool // the reader will call endBatch; set by the reader, without the lock
		queue    queue.Queue
		messages int64 // queued so far
		payload  int64 // bytes of them
	}
}

// open sets the bounds of the queue. It queues the answer to the handshake, and is called
// before anything else. The caller owns the right to write.
func (o *outgoing) open(b *queue.Budget, answer []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.queue.Budget = b
	o.mu.queue.AddControl(answer, false)
	o.mu.owned = true
}

// addFrame queues f, the frame of a message with payload bytes of payload. replaced
// reports whether it has replaced one, because it has the same key.
func (o *outgoing) addFrame(g queue.Growth, key string, f queue.Frame, payload int) (write, replaced bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if key == "" {
		err = o.mu.queue.Add(f, g)
	} else {
		replaced, err = o.mu.queue.Replace(key, f, g)
	}
	if err != nil {
		return false, false, err //nolint:wrapcheck // it is protocol's
	}
	return o.messageAddedLocked(payload), replaced, nil
}

// addControl queues control frames whatever the bounds, unless a final one was queued.
func (o *outgoing) addControl(frames []byte, final bool) (write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.queue.AddControl(frames, final) && o.addedLocked()
}

// offerControl queues a control frame if there is room.
func (o *outgoing) offerControl(frame []byte) (write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.queue.OfferControl(frame) && o.addedLocked()
}

func (o *outgoing) messageAddedLocked(payload int) (write bool) {
	o.mu.messages++
	o.mu.payload += int64(payload)
	return o.addedLocked()
}

// addedLocked takes the right to write if it has no owner. During a batch it does so only
// if much is queued.
func (o *outgoing) addedLocked() (write bool) {
	if o.mu.batching.Load() && o.mu.queue.Pending() < min(maxPeek, o.mu.queue.Budget.Each/2) {
		return false
	}
	return o.claimLocked()
}

// fillFrame makes reserved, which was added, the frame f.
func (o *outgoing) fillFrame(reserved, f queue.Frame) (write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.queue.Fill(reserved, f)
	return o.addedLocked()
}

// startBatch leaves what is added from now on to endBatch. The caller is the reader.
func (o *outgoing) startBatch() { o.mu.batching.Store(true) }

// isBatching reports whether a batch is to be ended. The caller is the reader.
func (o *outgoing) isBatching() bool { return o.mu.batching.Load() }

// endBatch ends a batch, which must have been started. If something is queued and the right
// to write has no owner, the caller owns it. With peek, it also gets the first pieces.
func (o *outgoing) endBatch(peek bool) (pieces [][]byte, write bool) {
	o.mu.batching.Store(false) // before the lock, so that an addition is seen here or sees it
	o.mu.Lock()
	defer o.mu.Unlock()
	write = o.claimLocked()
	if write && peek {
		pieces = o.mu.queue.Peek(maxPeek)
	}
	return pieces, write
}

// claim takes the right to write if something is queued that no writer is about to write: a
// batch takes long.
func (o *outgoing) claim() (write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.claimLocked()
}

func (o *outgoing) claimLocked() (write bool) {
	write = !o.mu.owned && o.mu.queue.Ready()
	o.mu.owned = o.mu.owned || write
	return write
}

// peek returns what the owner has to write next. The pieces are valid until it calls
// wrote.
func (o *outgoing) peek() (pieces [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.queue.Peek(maxPeek)
}

// progress is how a queue stands after a write.
type progress struct {
	more     bool // there is more to write, and the caller still owns the right to
	finished bool // there will never be more
	drained  bool // a sender that was refused may try again
}

// wrote tells that the owner has written n bytes of what peek has returned.
func (o *outgoing) wrote(n int, g queue.Growth) (p progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p.drained = o.mu.queue.Advance(n, g)
	p.more, p.finished = o.mu.queue.Ready(), o.mu.queue.Finished()
	o.mu.owned = p.more
	return p
}

// between reports whether the owner has something to write, and no frame is written in
// part.
func (o *outgoing) between() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.queue.Ready() && !o.mu.queue.Started()
}

// dropOldest drops messages, the oldest first, until one of n bytes fits.
func (o *outgoing) dropOldest(n int) (dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.queue.DropOldest(n)
}

// finish lets nothing more be added.
func (o *outgoing) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.queue.Finish()
}

// abort drops everything and lets nothing more be added.
func (o *outgoing) abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.queue.Abort()
}

// pending returns how many bytes are not written.
func (o *outgoing) pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.queue.Pending()
}

// finished reports whether nothing can be added and everything is written.
func (o *outgoing) finished() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.queue.Finished()
}

// sent returns how many messages were queued so far, and their bytes.
func (o *outgoing) sent() (messages, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.messages, o.mu.payload
}
