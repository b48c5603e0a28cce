package consumer

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/plumbing"
)

// handoff lends messages from Receive to the loop of a Stream, one at a time. Both wait for
// one condition, which also the end of the connection signals: it is a plumbing.Ender,
// because the Done channel of the connection's context takes more memory than all of this.
type handoff struct {
	mu      sync.Mutex
	cond    sync.Cond     // of mu
	signals atomic.Uint32 // how often cond was signaled; changed with mu held

	// The rest is changed with mu held.

	message  *Message      // that is offered or lent; nil if there is none
	lent     bool          // the loop has read message, and has not returned it
	discards atomic.Bool   // Stream.Discard was called
	number   atomic.Uint64 // how many have been lent
}

func (h *handoff) init() { h.cond.L = &h.mu }

// unlockSignal unlocks mu and wakes those who wait, in this order: a goroutine that wakes
// needs the lock at once.
func (h *handoff) unlockSignal() {
	h.signals.Add(1)
	h.mu.Unlock()
	h.cond.Broadcast()
}

func (h *handoff) signal() {
	h.mu.Lock()
	h.unlockSignal()
}

// Ended implements plumbing.Ender.
func (h *handoff) Ended() { h.signal() }

// wait waits for a signal after the first seen ones. It may be called without any lock:
// the caller reads signals, then looks whether it has to wait, and then calls wait.
func (h *handoff) wait(seen uint32) {
	h.mu.Lock()
	for h.signals.Load() == seen {
		h.cond.Wait()
	}
	h.mu.Unlock()
}

// waitOr is wait, and also returns when ctx is done.
func (h *handoff) waitOr(ctx context.Context, seen uint32) {
	stop := context.AfterFunc(ctx, h.signal)
	defer stop()
	h.wait(seen)
}

// messages has the memory of messages that are offered.
var messages = sync.Pool{New: func() any { return new(Message) }}

// lend offers m, and returns when the loop has read and returned it. own says that ctx is
// the connection's own, whose end is a signal. The error is errNotRead if ctx is done before
// the loop reads m.
func (h *handoff) lend(ctx context.Context, own bool, m Message) error {
	offered := messages.Get().(*Message) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	*offered = m
	defer func() {
		*offered = Message{}
		messages.Put(offered)
	}()
	seen, ok := h.offer(offered)
	if !ok {
		return plumbing.ErrUnread
	}
	for lent := false; ; {
		switch {
		case lent: // it is waited for, however long that takes
			h.wait(seen)
		case ctx.Err() != nil:
		case own:
			h.wait(seen)
		default:
			h.waitOr(ctx, seen)
		}
		seen = h.signals.Load()
		var settled bool
		var err error
		if lent, settled, err = h.settle(offered, ctx.Err() != nil); settled {
			return err
		}
	}
}

// offer offers m. It returns the number of signals, or false if messages are dropped.
func (h *handoff) offer(m *Message) (signals uint32, ok bool) {
	h.mu.Lock()
	if h.discards.Load() {
		h.mu.Unlock()
		return 0, false
	}
	h.message = m
	signals = h.signals.Load() + 1
	h.unlockSignal()
	return signals, true
}

// settle reports what has become of m: it is lent, or it is settled, with the result of
// Receive, or neither. It is taken back if the loop is not going to read it.
func (h *handoff) settle(m *Message, ended bool) (lent, settled bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.message != m:
		return false, true, nil
	case h.lent:
		return true, false, nil
	case h.discards.Load():
		err = plumbing.ErrUnread
	case ended:
		err = errNotRead
	default:
		return false, false, nil
	}
	h.message = nil
	return false, true, err
}

// take lends the loop the message that is offered, or returns nil.
func (h *handoff) take() *Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.message == nil || h.lent {
		return nil
	}
	h.lent = true
	h.number.Add(1)
	return h.message
}

// returnNumber returns the message with that number, if it is lent.
func (h *handoff) returnNumber(number uint64) {
	if h.number.Load() == number {
		h.returnLent()
	}
}

// returnLent returns the message that is lent, if there is one. Only the loop calls it.
func (h *handoff) returnLent() {
	h.mu.Lock()
	if !h.lent {
		h.mu.Unlock()
		return
	}
	h.message, h.lent = nil, false
	h.unlockSignal()
}

// discard has Receive drop every message that the loop has not read.
func (h *handoff) discard() {
	h.mu.Lock()
	h.discards.Store(true)
	h.unlockSignal()
}

// decision is whether the function of Func accepts the connection. It is made once. A nil
// decision is one that has accepted.
type decision struct {
	once sync.Once
	made chan struct{} // closed when err is set
	err  error         // what Connect returns: nil accepts
}

func newDecision() *decision { return &decision{made: make(chan struct{})} }

// decide calls f and makes its result the decision, unless there is one. It reports
// whether it called f.
func (d *decision) decide(f func() error) (first bool) {
	if d == nil {
		return false
	}
	d.once.Do(func() {
		first = true
		d.err = f()
		close(d.made)
	})
	return first
}

// isMade reports whether there is a decision.
func (d *decision) isMade() bool {
	if d == nil {
		return true
	}
	select {
	case <-d.made:
		return true
	default:
		return false
	}
}

// isAccept reports whether the decision is made and accepts.
func (d *decision) isAccept() bool { return d == nil || d.isMade() && d.err == nil }
