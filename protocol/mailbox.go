package protocol

import (
	"sync"

	"github.com/wye-go/wye/internal/conflate"
	"github.com/wye-go/wye/protocol/internal/backlog"
	"github.com/wye-go/wye/protocol/internal/executor"
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
		noteChecked(&m)
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

// mailbox holds, in order, the entries that wait for a connection's callbacks. It has no
// bounds: it counts, and [Session] decides. While none waits, a connection has none, and a
// nil *mailbox is an empty one.
type mailbox struct {
	queue      conflate.Queue[entry]
	events     int // events and messages of group sends in queue
	eventBytes int // their sizes
	bytes      int // the sizes of the peer's messages in queue
}

// mailboxes are empty ones. They keep the memory of their queues if it is little.
var mailboxes = sync.Pool{New: func() any { return new(mailbox) }}

// mailLocked returns the mailbox with all entries, to which the caller adds another one.
func (s *Session) mailLocked() *mailbox {
	if s.mu.mail == nil {
		s.mu.mail = mailboxes.Get().(*mailbox) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	}
	if e := s.mu.event; e != nil {
		s.mu.event = nil
		s.mu.mail.addEvent(entry{event: e})
	}
	return s.mu.mail
}

// addOnlyLocked makes e the only entry, without a mailbox. It returns false, and does
// nothing, if other entries wait, or the bounds have to be looked at.
func (s *Session) addOnlyLocked(e *Event) bool {
	if s.mu.event != nil || s.mu.mail != nil || s.mu.mail.fill(1, e.size(), s.limits()) != backlog.Low {
		return false
	}
	s.mu.event = e
	return true
}

// hasMailLocked reports whether entries wait.
func (s *Session) hasMailLocked() bool { return s.mu.event != nil || !s.mu.mail.empty() }

// dequeueLocked removes the oldest entry and returns it. There must be one.
func (s *Session) dequeueLocked() (e entry) {
	if s.mu.event != nil {
		e.event, s.mu.event = s.mu.event, nil
		s.exec.Put(executor.Waiting, false)
		return e
	}
	if s.mu.mail.events == 0 {
		s.exec.Put(executor.Ordered, false) // none waits, and none is being handled
	}
	e = s.mu.mail.dequeue()
	s.mailShrunkLocked()
	return e
}

// discardLocked removes all entries and returns what they were.
func (s *Session) discardLocked() (was contents) {
	if !s.hasMailLocked() {
		return was
	}
	was = s.mailLocked().discard()
	s.mailShrunkLocked()
	return was
}

// mailShrunkLocked updates the flags of the mailbox after entries were removed, and gives it
// up if it is empty.
func (s *Session) mailShrunkLocked() {
	mail := s.mu.mail
	if r := s.rare.Load(); r != nil && r.mailGauge.IsHigh() && mail.fill(0, 0, s.limits()) == backlog.Low {
		r.mailGauge.Drained()
		s.exec.Put(executor.MailHigh, false)
	}
	s.hold(heldWaiting, mail.bytes)
	if mail.empty() {
		s.exec.Put(executor.Waiting, false)
		s.mu.mail = nil
		mailboxes.Put(mail)
	}
}

// size returns the sizes of the peer's messages.
func (b *mailbox) size() int {
	if b == nil {
		return 0
	}
	return b.bytes
}

// fill returns how full of events the mailbox would be with more entries, of n bytes
// together. One event always fits.
func (b *mailbox) fill(more, n int, l *Limits) backlog.Fill {
	if b == nil {
		b = &mailbox{}
	}
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
	old, replaced := b.queue.Put(key, e)
	b.count(&e, 1)
	if replaced {
		b.count(&old, -1)
	}
	return replaced
}

func (b *mailbox) addMessage(m Message) {
	e := entry{kind: m.Kind, checked: isChecked(&m), data: m.Data}
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

func (b *mailbox) empty() bool { return b == nil || b.queue.Len() == 0 }

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
