package protocol

import (
	"slices"

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

// keptEntries is the size up to which an empty mailbox keeps its memory.
const keptEntries = 32

// mailbox holds what waits for a connection's callbacks, in order, and the messages
// that are sent behind events. Its zero value is empty and costs nothing. It bounds
// nothing by itself: it counts, and [Session] decides.
type mailbox struct {
	queue      []entry
	head       int        // of what is left in queue
	events     int        // in queue, and messages that were sent
	eventBytes int        // what these count
	bytes      int        // what the peer's messages in queue count
	keys       *entryKeys // nil if no message with a key was sent since the mailbox was empty
}

// entryKeys finds the messages with a key that may be replaced: those that were sent
// since the last event or message without a key.
type entryKeys struct {
	at    map[string]int // index in queue, plus moved
	moved int            // how far entries have moved to the front
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

// addEvent adds an event, or a message without a key that was sent.
func (b *mailbox) addEvent(e entry) {
	if b.keys != nil {
		clear(b.keys.at) // they must not be overtaken
	}
	b.addOrdered(e)
}

func (b *mailbox) addOrdered(e entry) {
	b.queue = append(b.queue, e)
	b.events++
	b.eventBytes += e.size()
}

// addPrepared adds a message that was sent. It replaces one with its key, unless an
// event or a message without a key was added since.
func (b *mailbox) addPrepared(p *Prepared) (replaced bool) {
	e, key := entry{prepared: p}, p.Key()
	if key == "" {
		b.addEvent(e)
		return false
	}
	if old := b.keyed(key); old != nil {
		b.eventBytes += e.size() - old.size()
		*old = e
		return true
	}
	if b.keys == nil {
		b.keys = &entryKeys{at: make(map[string]int)}
	}
	b.keys.at[key] = len(b.queue) + b.keys.moved
	b.addOrdered(e)
	return false
}

// keyed returns the message that one with that key replaces, or nil.
func (b *mailbox) keyed(key string) *entry {
	if b.keys == nil || key == "" {
		return nil
	}
	if at, ok := b.keys.at[key]; ok {
		return &b.queue[at-b.keys.moved]
	}
	return nil
}

func (b *mailbox) addMessage(m Message) {
	b.queue = append(b.queue, entry{kind: m.Kind, data: m.Data})
	b.bytes += len(m.Data) + messageOverhead
}

func (b *mailbox) empty() bool { return b.head == len(b.queue) }

// dequeue takes out the oldest entry and returns it. The mailbox must not be empty.
func (b *mailbox) dequeue() entry {
	e := b.queue[b.head]
	b.queue[b.head] = entry{}
	b.removed(&e, b.head)
	b.compact()
	return e
}

// removed takes note that e, which was at that index, is gone.
func (b *mailbox) removed(e *entry, at int) {
	b.head++
	if e.isMessage() {
		b.bytes -= e.size()
		return
	}
	b.events--
	b.eventBytes -= e.size()
	if b.keys == nil || e.prepared == nil {
		return
	}
	if key := e.prepared.Key(); b.keys.at[key] == at+b.keys.moved {
		delete(b.keys.at, key)
	}
}

// dropEvent takes out the oldest event or message that was sent. There must be one.
func (b *mailbox) dropEvent() (dropped entry) {
	at := b.head + slices.IndexFunc(b.queue[b.head:], func(e entry) bool { return !e.isMessage() })
	dropped = b.queue[at]
	copy(b.queue[b.head+1:at+1], b.queue[b.head:at]) // messages before it keep their order
	b.queue[b.head] = entry{}
	b.removed(&dropped, at)
	b.compact()
	return dropped
}

// compact lets the queue start anew when it is empty, and moves it to the front
// when more than half of it is behind.
func (b *mailbox) compact() {
	switch {
	case !b.empty():
		if b.head > keptEntries && b.head > len(b.queue)/2 {
			n := copy(b.queue, b.queue[b.head:])
			clear(b.queue[n:])
			if b.keys != nil {
				b.keys.moved += b.head
			}
			b.queue, b.head = b.queue[:n], 0
		}
		return
	case cap(b.queue) > keptEntries:
		b.queue = nil
	default:
		b.queue = b.queue[:0]
	}
	b.head, b.keys = 0, nil
}

// discard empties the mailbox and returns what was in it.
func (b *mailbox) discard() (was contents) {
	for i := range b.queue[b.head:] {
		was.add(b.queue[b.head+i].contents())
	}
	*b = mailbox{}
	return was
}
