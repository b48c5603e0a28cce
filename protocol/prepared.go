package protocol

import (
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/plumbing"
)

// Prepared is one message on its way to many connections. Every transport
// encodes it once per variant, for example plain and deflated, and the
// connections share the bytes. It is immutable and safe for concurrent use.
type Prepared struct {
	msg     Message // its Data is own
	own     []byte  // memory of the copy
	kept    atomic.Bool
	claimed atomic.Bool // somebody makes, or has made, first
	invalid bool        // it is text that is not UTF-8
	first   encoded
	frames  atomic.Pointer[encoded]
	event   atomic.Pointer[Event]
	fixed   atomic.Pointer[Prepared] // the repaired one, if it is invalid
}

// encoded is one encoding, in front of older ones.
type encoded struct {
	variant any
	bytes   []byte // of AppendFrame
	shared  any    // of Share
	next    *encoded
}

var preparedPool = sync.Pool{New: func() any { return new(Prepared) }}

// pooledBytes is the size up to which the memory of a Prepared is used again.
const pooledBytes = 4 << 10

// Prepare copies m, once, and checks whether its text is UTF-8: see [Prepared.Err].
func Prepare(m Message) *Prepared {
	p := preparedPool.Get().(*Prepared) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	p.own = append(p.own[:0], m.Data...)
	p.msg = Message{Kind: m.Kind, Data: p.own, Key: m.Key}
	p.invalid = !p.msg.valid()
	return p
}

// Release gives up a Prepared whose caller made it with Prepare, and will not
// touch it again. Its memory is used again, unless somebody keeps a part of it.
// It is never necessary; it saves group sends their allocations.
func (p *Prepared) Release() {
	if p.kept.Load() || cap(p.own) > pooledBytes || cap(p.first.bytes) > pooledBytes {
		return
	}
	p.frames.Store(nil)
	p.first.next, p.first.shared = nil, nil
	p.claimed.Store(false)
	preparedPool.Put(p)
}

// keep makes Release do nothing.
func (p *Prepared) keep() {
	if !p.kept.Load() { // a shared cache line is better read than written
		p.kept.Store(true)
	}
}

// Message returns the message. Its Data may be kept, and nobody may change it.
func (p *Prepared) Message() Message {
	p.keep()
	return p.msg
}

// Event returns the message as an event of SendType, the same one for all who
// ask.
func (p *Prepared) Event() *Event {
	p.keep()
	if p.event.Load() == nil {
		e := &Event{typ: SendType.Name}
		e.sealing.Do(func() { e.mu.frame = p })
		p.event.CompareAndSwap(nil, e)
	}
	return p.event.Load()
}

// Len returns the size of the message in bytes.
func (p *Prepared) Len() int { return len(p.msg.Data) }

// Key returns the message's key, which is no part of its encodings.
func (p *Prepared) Key() string { return p.msg.Key }

// AppendFrame appends the encoding of the message for variant to b. encode makes it
// for the first caller. Variants are compared with ==; a transport uses values of a
// type of its own. If several ask at once, encode may run more than once. Transports
// call it, applications need not know it.
func (p *Prepared) AppendFrame(b []byte, variant any, encode func(b []byte, m Message) []byte) []byte {
	return append(b, p.encoded(variant, encode, nil).bytes...)
}

// Share returns what share makes of the message for the first caller with this
// variant, and the same value to all later ones: connections share the frame of a
// large message, and what a transport counts of it. Variants are those of
// AppendFrame; share is given the one that was asked for. If several ask at once,
// share may run more than once; they all get the same value. share must not keep
// m.Data. The value may be kept: Release does not touch it.
func (p *Prepared) Share(variant any, share func(variant any, m Message) any) any {
	return p.encoded(variant, nil, share).shared
}

// encoded returns what encode or share has made for variant.
func (p *Prepared) encoded(variant any, encode func([]byte, Message) []byte, share func(any, Message) any) *encoded {
	for {
		head := p.frames.Load()
		for e := head; e != nil; e = e.next {
			if e.variant == variant {
				return e
			}
		}
		e := &p.first
		if !p.claimed.CompareAndSwap(false, true) {
			e = new(encoded)
		}
		e.variant, e.next = variant, head
		if share != nil {
			e.shared = share(variant, p.msg)
		} else {
			e.bytes = encode(e.bytes[:0], p.msg)
		}
		if p.frames.CompareAndSwap(head, e) {
			return e
		}
		if e == &p.first { // lost against another variant, or the same one: put it behind
			p.claimed.Store(false)
		}
	}
}

// Err returns ErrNotUTF8 if the message is text that is not UTF-8, and so cannot be
// sent to connections that do not repair it (Limits.RepairText). Layers call it.
func (p *Prepared) Err() error {
	if p.invalid {
		return ErrNotUTF8
	}
	return nil
}

// repaired returns the repaired message, the same one for all who ask.
func (p *Prepared) repaired() *Prepared {
	p.keep()
	if p.fixed.Load() == nil {
		p.fixed.CompareAndSwap(nil, Prepare(p.msg.repaired()))
	}
	return p.fixed.Load()
}

// outgoing is a message that is sent: one of its own, or a shared one.
type outgoing struct {
	msg      Message
	prepared *Prepared
}

// key returns the message's key.
func (o outgoing) key() string {
	if o.prepared != nil {
		return o.prepared.Key()
	}
	return o.msg.Key
}

// size returns what the message counts while it waits.
func (o outgoing) size() int {
	n := len(o.msg.Data)
	if o.prepared != nil {
		n = o.prepared.Len()
	}
	if key := o.key(); key != "" {
		n += len(key) + plumbing.KeyOverhead
	}
	return n + messageOverhead
}
