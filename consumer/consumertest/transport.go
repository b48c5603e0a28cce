package consumertest

import (
	"cmp"
	"sync"

	"github.com/wye-go/wye/internal/conflate"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// transport is a protocol.Transport whose network is a list.
type transport struct {
	session *protocol.Session
	chosen  string // the subprotocol, if the consumer names none
	moved   chan struct{}
	busy    chan struct{} // a callback begins where Receive was called

	mu struct {
		sync.Mutex
		accepted *protocol.AcceptOptions
		limit    int // bytes that the client leaves unread before the queue is full
		messages int64
		payload  int64 // bytes of messages
		rejected *protocol.RejectError
		unread   conflate.Queue[protocol.Message]
		bytes    int
		full     bool
		closed   *protocol.CloseStatus
	}
}

func newTransport() *transport {
	return &transport{moved: make(chan struct{}, 1), busy: make(chan struct{}, 1)}
}

// changed wakes whoever waits for the state to change.
func (t *transport) changed() {
	select {
	case t.moved <- struct{}{}:
	default:
	}
}

// Busy lets the client go on.
func (t *transport) Busy() { t.busy <- struct{}{} }

func (t *transport) Accept(o protocol.AcceptOptions) error {
	limits := t.session.Limits()
	o.Subprotocol = cmp.Or(o.Subprotocol, t.chosen)
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

func (t *transport) refused() *protocol.RejectError {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.rejected
}

func (t *transport) Send(m protocol.Message) error {
	defer t.changed()
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

// size is what a message counts in the queue.
func size(m protocol.Message) int {
	if m.Key == "" {
		return len(m.Data)
	}
	return len(m.Data) + len(m.Key) + plumbing.KeyOverhead
}

// Sent returns what was sent so far.
func (t *transport) Sent() (messages, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.messages, t.mu.payload
}

func (t *transport) SendPrepared(p *protocol.Prepared) error { return t.Send(p.Message()) }

// DropOldest drops what the client has left unread.
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
	defer t.changed()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.closed = &s
}

// next takes the oldest unread message. If there is none, closed says whether
// any will come. drained means that the queue was full and is not any more.
func (t *transport) next() (m protocol.Message, ok bool, closed *protocol.CloseStatus, drained bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.unread.Len() == 0 {
		return m, false, t.mu.closed, false
	}
	m = t.mu.unread.Pop()
	t.mu.bytes -= size(m)
	m.Key = "" // it does not travel
	if t.mu.bytes > t.mu.limit/2 {
		return m, true, nil, false
	}
	t.session.QueueDrained()
	drained, t.mu.full = t.mu.full, false
	return m, true, nil, drained
}
