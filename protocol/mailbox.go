package protocol

import "slices"

// letter is what waits for a callback: an event or a message.
type letter struct {
	event *Event // nil: it is a message
	msg   Message
}

// messageOverhead is what a waiting message or event counts beside its bytes, so that
// empty ones are bounded as well.
const messageOverhead = 64

// keptLetters is the size up to which an empty mailbox keeps its memory.
const keptLetters = 32

// mailbox holds what waits for a connection's callbacks, in order. Its zero
// value is empty and costs nothing. It bounds nothing by itself: it counts, and
// [Session] decides.
type mailbox struct {
	queue      []letter
	head       int // of what is left in queue
	events     int // in queue
	eventBytes int // of the events in queue, with their overhead
	bytes      int // of the messages in queue, with their overhead
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

func (b *mailbox) addEvent(e *Event) {
	b.queue = append(b.queue, letter{event: e})
	b.events++
	b.eventBytes += e.size()
}

func (b *mailbox) addMessage(m Message) {
	b.queue = append(b.queue, letter{msg: m})
	b.bytes += len(m.Data) + messageOverhead
}

func (b *mailbox) empty() bool { return b.head == len(b.queue) }

// take returns the oldest letter. The mailbox must not be empty.
func (b *mailbox) take() letter {
	l := b.queue[b.head]
	b.queue[b.head] = letter{}
	b.head++
	if l.event != nil {
		b.events--
		b.eventBytes -= l.event.size()
	} else {
		b.bytes -= len(l.msg.Data) + messageOverhead
	}
	b.compact()
	return l
}

// dropEvent takes out the oldest event. There must be one.
func (b *mailbox) dropEvent() {
	at := b.head + slices.IndexFunc(b.queue[b.head:], func(l letter) bool { return l.event != nil })
	b.eventBytes -= b.queue[at].event.size()
	copy(b.queue[b.head+1:at+1], b.queue[b.head:at]) // messages before it keep their order
	b.queue[b.head] = letter{}
	b.head++
	b.events--
	b.compact()
}

// compact lets the queue start anew when it is empty, and moves it to the front
// when more than half of it is behind.
func (b *mailbox) compact() {
	switch {
	case !b.empty():
		if b.head > keptLetters && b.head > len(b.queue)/2 {
			n := copy(b.queue, b.queue[b.head:])
			clear(b.queue[n:])
			b.queue, b.head = b.queue[:n], 0
		}
	case cap(b.queue) > keptLetters:
		b.queue, b.head = nil, 0
	default:
		b.queue, b.head = b.queue[:0], 0
	}
}

// discard empties the mailbox and says what was in it.
func (b *mailbox) discard() (events, messages int) {
	events = b.events
	messages = len(b.queue) - b.head - b.events
	*b = mailbox{}
	return events, messages
}
