package main

import (
	"slices"
	"sync"

	"github.com/wye-go/wye/protocol"
)

// queue holds the messages that wait for a poll: those methods of a
// protocol.Transport that are about sending.
type queue struct {
	wake chan struct{} // has one when a message has come

	mu struct {
		sync.Mutex
		messages []protocol.Message
		bytes    int // of messages, and of those that are being written
	}
}

var _ protocol.Dropper = (*queue)(nil)

// overhead is what a message counts beside its bytes, so that empty ones are
// bounded as well.
const overhead = 64

func size(m protocol.Message) int { return len(m.Data) + overhead }

// Send queues a message.
func (q *queue) Send(m protocol.Message) error { return q.push(m.Clone()) }

// SendPrepared queues a message that is shared.
func (q *queue) SendPrepared(p *protocol.Prepared) error { return q.push(p.Message()) }

func (q *queue) push(m protocol.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.bytes > 0 && q.mu.bytes+size(m) > maxQueue {
		return protocol.ErrFull
	}
	q.mu.messages = append(q.mu.messages, m)
	q.mu.bytes += size(m)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// DropOldest makes room for n bytes.
func (q *queue) DropOldest(n int) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for dropped < len(q.mu.messages) && q.mu.bytes+n+overhead > maxQueue {
		q.mu.bytes -= size(q.mu.messages[dropped])
		dropped++
	}
	q.mu.messages = slices.Delete(q.mu.messages, 0, dropped)
	return dropped
}

// take returns all messages, to be written.
func (q *queue) take() (batch []protocol.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.mu.messages = q.mu.messages, nil
	return batch
}

// settle makes room for others when a batch was written. When it was not, it is
// the next one's beginning.
func (q *queue) settle(batch []protocol.Message, written bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !written {
		q.mu.messages = append(batch, q.mu.messages...)
		return
	}
	for _, m := range batch {
		q.mu.bytes -= size(m)
	}
}
