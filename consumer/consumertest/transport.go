package consumertest

import (
	"cmp"
	"sync"

	"github.com/wye-go/wye/internal/conflate"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// transport is a protocol.Transport. What it sends waits in a queue until the test reads
// it.
type transport struct {
	session     *protocol.Session
	subprotocol string        // the one that is chosen if the consumer chooses none
	changed     chan struct{} // capacity 1: there may be a message, or the close
	busy        chan struct{} // a callback has started on the goroutine that called Receive

	mu struct {
		sync.Mutex
		accepted *protocol.AcceptOptions
		rejected *protocol.RejectError
		unread   conflate.Queue[protocol.Message]
		bytes    int   // of unread, as size counts them
		limit    int   // of bytes
		full     bool  // a message was refused, and the queue has not drained since
		messages int64 // that were sent
		payload  int64 // bytes of messages
		closed   *protocol.CloseStatus
	}
}

func newTransport() *transport {
	return &transport{changed: make(chan struct{}, 1), busy: make(chan struct{}, 1)}
}

// notifyChanged wakes the test, which may wait for a message or the close.
func (t *transport) notifyChanged() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// Busy is called when a callback has started on the goroutine that called Receive. It lets
// the client continue with its next action.
func (t *transport) Busy() { t.busy <- struct{}{} }

func (t *transport) Accept(o protocol.AcceptOptions) error {
	limits := t.session.Limits()
	o.Subprotocol = cmp.Or(o.Subprotocol, t.subprotocol)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.accepted, t.mu.limit = &o, limits.QueueBytes
	return nil
}

func (t *transport) Reject(e *protocol.RejectError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.rejected = e
}

// rejection returns the error that refused the connection.
func (t *transport) rejection() *protocol.RejectError {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.rejected
}

func (t *transport) Send(m protocol.Message) error {
	defer t.notifyChanged()
	t.mu.Lock()
	defer t.mu.Unlock()
	bytes := t.mu.bytes
	if old := t.mu.unread.Find(m.Key); old != nil {
		bytes -= size(*old)
	}
	switch {
	case t.mu.closed != nil:
		return protocol.ErrClosed
	case bytes > 0 && !t.session.QueueAdmits(bytes, size(m)):
		t.mu.full = true
		return protocol.ErrQueueFull
	}
	if _, replaced := t.mu.unread.Add(m.Key, m.Clone()); replaced {
		t.session.Conflated()
	}
	t.mu.bytes = bytes + size(m)
	t.mu.messages++
	t.mu.payload += int64(len(m.Data))
	return nil
}

// size returns the bytes that m counts as in the queue.
func size(m protocol.Message) int {
	if m.Key == "" {
		return len(m.Data)
	}
	return len(m.Data) + len(m.Key) + plumbing.KeyOverhead
}

// Sent returns how many messages were sent, and the bytes of their payloads.
func (t *transport) Sent() (messages, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.messages, t.mu.payload
}

func (t *transport) SendPrepared(p *protocol.Prepared) error { return t.Send(p.Message()) }

// DropOldest drops unread messages until n bytes fit the queue.
func (t *transport) DropOldest(n int) (dropped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.mu.bytes > 0 && t.mu.bytes+n > t.mu.limit {
		t.mu.bytes -= size(t.mu.unread.Pop())
		dropped++
	}
	return dropped
}

func (t *transport) Close(s protocol.CloseStatus) {
	defer t.notifyChanged()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.closed = &s
}

// popMessage removes and returns the oldest unread message. If there is none, ok is
// false, and closed is nil if more may come. drained reports that the queue was full and
// has room again.
func (t *transport) popMessage() (m protocol.Message, ok bool, closed *protocol.CloseStatus, drained bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.unread.Len() == 0 {
		return m, false, t.mu.closed, false
	}
	m = t.mu.unread.Pop()
	t.mu.bytes -= size(m)
	m.Key = "" // the peer does not receive it
	if t.mu.bytes > t.mu.limit/2 {
		return m, true, nil, false
	}
	t.session.QueueDrained()
	drained, t.mu.full = t.mu.full, false
	return m, true, nil, drained
}
