package protocol

import (
	"github.com/wye-go/wye/internal/conflate"
	"github.com/wye-go/wye/protocol/internal/backlog"
)

// entry is what waits in a mailbox: an event, a message of the peer, or a message that
// was sent to the connection behind events.
type entry struct {
	event    *Event
	prepared *Prepared
	kind     Kind // of a message of the peer, as data is
	data     []byte
}

// message returns the message of the peer.
func (e *entry) message() Message { return Message{Kind: e.kind, Data: e.data} }

// isMessage reports whether it is a message of the peer.
func (e *entry) isMessage() bool { return e.event == nil && e.prepared == nil }

// size returns what the entry counts.
func (e *entry) size() int {
	switch {
	case e.event != nil:
		return e.event.size()
	case e.prepared != nil:
		return outgoing{prepared: e.prepared}.size()
	}
	return len(e.data) + messageOverhead
}

// contents counts entries.
type contents struct{ events, messages, sent int }

// contents counts the entry.
func (e *entry) contents() contents {
	switch {
	case e.event != nil:
		return contents{events: 1}
	case e.prepared != nil:
		return contents{sent: 1}
	}
	return contents{messages: 1}
}

// add counts what d has counted.
func (c *contents) add(d contents) {
	c.events += d.events
	c.messages += d.messages
	c.sent += d.sent
}

// mailbox holds what waits for a connection's callbacks, in order, and the messages
// that are sent behind events. Its zero value is empty and costs nothing. It bounds
// nothing by itself: it counts, and [Session] decides.
type mailbox struct {
	queue      conflate.Queue[entry]
	events     int // in queue, and messages that were sent
	eventBytes int // what these count
	bytes      int // what the peer's messages in queue count
}

// fill returns how full of events the mailbox is with so many more, of n bytes
// together. One event always fits.
func (b *mailbox) fill(more, n int, l *Limits) backlog.Fill {
	f := backlog.FillOf(b.eventBytes+n, l.QueueEventBytes)
	if b.events == 0 {
		f = min(f, backlog.High)
	}
	return max(f, backlog.FillOf(b.events+more, l.QueueEvents))
}

// addEvent adds an event, or a message without a key that was sent. Messages with a key
// must not overtake it.
func (b *mailbox) addEvent(e entry) {
	b.queue.ForgetKeys()
	b.queue.Append(e)
	b.count(&e, 1)
}

// addPrepared adds a message that was sent. It replaces one with its key, unless an
// event or a message without a key was added since.
func (b *mailbox) addPrepared(p *Prepared) (replaced bool) {
	e, key := entry{prepared: p}, p.Key()
	if key == "" {
		b.addEvent(e)
		return false
	}
	old, replaced := b.queue.Put(key, e)
	b.count(&e, 1)
	if replaced {
		b.count(&old, -1)
	}
	return replaced
}

func (b *mailbox) addMessage(m Message) {
	e := entry{kind: m.Kind, data: m.Data}
	b.queue.Append(e)
	b.count(&e, 1)
}

// count counts an entry n times.
func (b *mailbox) count(e *entry, n int) {
	if e.isMessage() {
		b.bytes += n * e.size()
		return
	}
	b.events += n
	b.eventBytes += n * e.size()
}

func (b *mailbox) empty() bool { return b.queue.Len() == 0 }

// dequeue takes out the oldest entry and returns it. The mailbox must not be empty.
func (b *mailbox) dequeue() entry {
	e := b.queue.Pop()
	b.removed(&e)
	return e
}

// dropEvent takes out the oldest event or message that was sent. There must be one.
func (b *mailbox) dropEvent() (dropped entry) {
	dropped, _ = b.queue.RemoveFirst(func(e *entry) bool { return !e.isMessage() })
	b.removed(&dropped)
	return dropped
}

func (b *mailbox) removed(e *entry) {
	b.count(e, -1)
	if b.empty() {
		b.queue.ForgetKeys()
	}
}

// discard empties the mailbox and returns what was in it.
func (b *mailbox) discard() (was contents) {
	for _, e := range b.queue.All() {
		was.add(e.contents())
	}
	*b = mailbox{}
	return was
}
