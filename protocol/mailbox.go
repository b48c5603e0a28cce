package protocol

import "slices"

// letter is what waits for its turn: an event, a message of the peer, or a message
// that was sent to the connection behind events.
type letter struct {
	event    *Event
	prepared *Prepared
	kind     Kind // of a message of the peer, as data is
	data     []byte
}

// message is the message of the peer.
func (l *letter) message() Message { return Message{Kind: l.kind, Data: l.data} }

// isMessage reports whether it is a message of the peer.
func (l *letter) isMessage() bool { return l.event == nil && l.prepared == nil }

// size is what the letter counts.
func (l *letter) size() int {
	switch {
	case l.event != nil:
		return l.event.size()
	case l.prepared != nil:
		return outgoing{prepared: l.prepared}.size()
	}
	return len(l.data) + messageOverhead
}

// messageOverhead is what a waiting message or event counts beside its bytes, so that
// empty ones are bounded as well.
const messageOverhead = 64

// keptLetters is the size up to which an empty mailbox keeps its memory.
const keptLetters = 32

// mailbox holds what waits for a connection's callbacks, in order, and the messages
// that are sent behind events. Its zero value is empty and costs nothing. It bounds
// nothing by itself: it counts, and [Session] decides.
type mailbox struct {
	queue      []letter
	head       int         // of what is left in queue
	events     int         // in queue, and messages that were sent
	eventBytes int         // what these count
	bytes      int         // what the peer's messages in queue count
	keys       *letterKeys // nil if no message with a key was sent since the mailbox was empty
}

// letterKeys finds the messages with a key that may be replaced: those that were sent
// since the last event or message without a key.
type letterKeys struct {
	at    map[string]int // index in queue, plus moved
	moved int            // how far letters have moved to the front
}

// fill returns how full of events the mailbox is with so many more, of n bytes
// together. One event always fits.
func (b *mailbox) fill(more, n int, l *Limits) fill {
	f := fillOf(b.eventBytes+n, l.QueueEventBytes)
	if b.events == 0 {
		f = min(f, fillHigh)
	}
	return max(f, fillOf(b.events+more, l.QueueEvents))
}

// addEvent adds an event, or a message without a key that was sent.
func (b *mailbox) addEvent(l letter) {
	if b.keys != nil {
		clear(b.keys.at) // they must not be overtaken
	}
	b.addOrdered(l)
}

func (b *mailbox) addOrdered(l letter) {
	b.queue = append(b.queue, l)
	b.events++
	b.eventBytes += l.size()
}

// addPrepared adds a message that was sent. It replaces one with its key, unless an
// event or a message without a key was added since.
func (b *mailbox) addPrepared(p *Prepared) (replaced bool) {
	l, key := letter{prepared: p}, p.Key()
	if key == "" {
		b.addEvent(l)
		return false
	}
	if old := b.keyed(key); old != nil {
		b.eventBytes += l.size() - old.size()
		*old = l
		return true
	}
	if b.keys == nil {
		b.keys = &letterKeys{at: make(map[string]int)}
	}
	b.keys.at[key] = len(b.queue) + b.keys.moved
	b.addOrdered(l)
	return false
}

// keyed returns the message that one with that key replaces, or nil.
func (b *mailbox) keyed(key string) *letter {
	if b.keys == nil || key == "" {
		return nil
	}
	if at, ok := b.keys.at[key]; ok {
		return &b.queue[at-b.keys.moved]
	}
	return nil
}

func (b *mailbox) addMessage(m Message) {
	b.queue = append(b.queue, letter{kind: m.Kind, data: m.Data})
	b.bytes += len(m.Data) + messageOverhead
}

func (b *mailbox) empty() bool { return b.head == len(b.queue) }

// take returns the oldest letter. The mailbox must not be empty.
func (b *mailbox) take() letter {
	l := b.queue[b.head]
	b.queue[b.head] = letter{}
	b.taken(&l, b.head)
	b.compact()
	return l
}

// taken takes note that l, which was at that index, is gone.
func (b *mailbox) taken(l *letter, at int) {
	b.head++
	if l.isMessage() {
		b.bytes -= l.size()
		return
	}
	b.events--
	b.eventBytes -= l.size()
	if b.keys == nil || l.prepared == nil {
		return
	}
	if key := l.prepared.Key(); b.keys.at[key] == at+b.keys.moved {
		delete(b.keys.at, key)
	}
}

// dropEvent takes out the oldest event or message that was sent. There must be one.
func (b *mailbox) dropEvent() (dropped letter) {
	at := b.head + slices.IndexFunc(b.queue[b.head:], func(l letter) bool { return !l.isMessage() })
	dropped = b.queue[at]
	copy(b.queue[b.head+1:at+1], b.queue[b.head:at]) // messages before it keep their order
	b.queue[b.head] = letter{}
	b.taken(&dropped, at)
	b.compact()
	return dropped
}

// compact lets the queue start anew when it is empty, and moves it to the front
// when more than half of it is behind.
func (b *mailbox) compact() {
	switch {
	case !b.empty():
		if b.head > keptLetters && b.head > len(b.queue)/2 {
			n := copy(b.queue, b.queue[b.head:])
			clear(b.queue[n:])
			if b.keys != nil {
				b.keys.moved += b.head
			}
			b.queue, b.head = b.queue[:n], 0
		}
		return
	case cap(b.queue) > keptLetters:
		b.queue = nil
	default:
		b.queue = b.queue[:0]
	}
	b.head, b.keys = 0, nil
}

// contents counts letters.
type contents struct{ events, messages, sent int }

// discard empties the mailbox and returns what was in it.
func (b *mailbox) discard() (was contents) {
	for i := range b.queue[b.head:] {
		switch l := &b.queue[b.head+i]; {
		case l.event != nil:
			was.events++
		case l.prepared != nil:
			was.sent++
		default:
			was.messages++
		}
	}
	*b = mailbox{}
	return was
}
