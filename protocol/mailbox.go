package protocol

import (
	"github.com/wye-go/wye/internal/conflate"
	"github.com/wye-go/wye/protocol/internal/backlog"
)

// entry is an entry of a mailbox: an event, a message of the peer, or a message of a group
// send that waits behind events.
type entry struct {
	event    *Event
	prepared *Prepared
	kind     Kind // of a message of the peer, as what follows
	checked  bool // data is known to be UTF-8
	data     []byte
}

// message returns the message of the peer.
func (e *entry) message() Message {
	m := Message{Kind: e.kind, Data: e.data}
	if e.checked {
		return checked(m)
	}
	return m
}

// isMessage reports whether it is a message of the peer.
func (e *entry) isMessage() bool { return e.event == nil && e.prepared == nil }

// size returns how many bytes the entry counts for the limits.
func (e *entry) size() int {
	switch {
	case e.event != nil:
		return e.event.size()
	case e.prepared != nil:
		return outgoing{prepared: e.prepared}.size()
	}
	return len(e.data) + messageOverhead
}

// contents is how many entries of each kind there are.
type contents struct{ events, messages, sent int }

// contents returns the entry as a count of one.
func (e *entry) contents() contents {
	switch {
	case e.event != nil:
		return contents{events: 1}
	case e.prepared != nil:
		return contents{sent: 1}
	}
	return contents{messages: 1}
}

// add adds the counts of d.
func (c *contents) add(d contents) {
	c.events += d.events
	c.messages += d.messages
	c.sent += d.sent
}

// spareItems is memory for mailboxes, which are nearly always empty.
var spareItems conflate.Spare[entry] //nolint:gochecknoglobals // as preparedPool

// mailbox holds, in order, the entries that wait for a connection's callbacks. Its zero
// value is empty and costs nothing. It has no bounds: it counts, and [Session] decides.
type mailbox struct {
	queue      conflate.Queue[entry]
	events     int // events and messages of group sends in queue
	eventBytes int // their sizes
	bytes      int // the sizes of the peer's messages in queue
}

// fill returns how full of events the mailbox would be with more entries, of n bytes
// together. One event always fits.
func (b *mailbox) fill(more, n int, l *Limits) backlog.Fill {
	f := backlog.FillOf(b.eventBytes+n, l.QueueEventBytes)
	if b.events == 0 {
		f = min(f, backlog.High)
	}
	return max(f, backlog.FillOf(b.events+more, l.QueueEvents))
}

// addEvent adds an event, or a message of a group send without a key. Messages with a key
// must not overtake it.
func (b *mailbox) addEvent(e entry) {
	b.queue.ForgetKeys()
	spareItems.Lend(&b.queue)
	b.queue.Append(e)
	b.count(&e, 1)
}

// addPrepared adds a message of a group send. It replaces one with the same key, unless an
// event or a message without a key was added since.
func (b *mailbox) addPrepared(p *Prepared) (replaced bool) {
	e, key := entry{prepared: p}, p.Key()
	if key == "" {
		b.addEvent(e)
		return false
	}
	spareItems.Lend(&b.queue)
	old, replaced := b.queue.Put(key, e)
	b.count(&e, 1)
	if replaced {
		b.count(&old, -1)
	}
	return replaced
}

func (b *mailbox) addMessage(m Message) {
	e := entry{kind: m.Kind, checked: m.isChecked(), data: m.Data}
	spareItems.Lend(&b.queue)
	b.queue.Append(e)
	b.count(&e, 1)
}

// count adds an entry to the sums n times; n may be -1.
func (b *mailbox) count(e *entry, n int) {
	if e.isMessage() {
		b.bytes += n * e.size()
		return
	}
	b.events += n
	b.eventBytes += n * e.size()
}

func (b *mailbox) empty() bool { return b.queue.Len() == 0 }

// dequeue removes the oldest entry and returns it. The mailbox must not be empty.
func (b *mailbox) dequeue() entry {
	e := b.queue.Pop()
	b.removed(&e)
	return e
}

// dropEvent removes the oldest event or message of a group send. There must be one.
func (b *mailbox) dropEvent() (dropped entry) {
	dropped, _ = b.queue.RemoveFirst(func(e *entry) bool { return !e.isMessage() })
	b.removed(&dropped)
	return dropped
}

func (b *mailbox) removed(e *entry) {
	b.count(e, -1)
	if b.empty() {
		b.queue.ForgetKeys()
		spareItems.TakeBack(&b.queue)
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
