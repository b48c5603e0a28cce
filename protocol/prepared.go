package protocol

import (
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/plumbing"
)

// Prepared is a message that is sent to many connections. It is encoded once per variant of
// a transport, for example plain or compressed, and the connections share the bytes. It is
// immutable and safe for concurrent use. [Prepare] makes it.
type Prepared struct {
	msg     Message // its Data is own
	own     []byte  // the copy
	kept    atomic.Bool
	claimed atomic.Bool // first is set, or a goroutine is about to set it
	invalid bool        // it is text that is not UTF-8
	first   encoded
	frames  atomic.Pointer[encoded]
	event   atomic.Pointer[Event]
	fixed   atomic.Pointer[Prepared] // the repaired one, if it is invalid
}

// encoded is one encoding, in a list with the newest first.
type encoded struct {
	variant any
	bytes   []byte // of AppendFrame
	shared  any    // of Share
	next    *encoded
}

var preparedPool = sync.Pool{New: func() any { return new(Prepared) }}

// pooledBytes is the largest memory of a Prepared that is recycled.
const pooledBytes = 4 << 10

// Prepare returns a copy of m that can be sent to many connections. It checks that text is
// UTF-8: see [Prepared.Err].
func Prepare(m Message) *Prepared {
	p := preparedPool.Get().(*Prepared) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	p.own = append(p.own[:0], m.Data...)
	p.msg = Message{Kind: m.Kind, Data: p.own, Key: m.Key, Uncompressed: m.Uncompressed}
	p.invalid = !isValid(&p.msg)
	return p
}

// Release recycles the memory of p, unless a part of it is still in use: a message that
// Message has returned, or one that waits. Only the caller of Prepare may call Release, and
// must not use p afterwards. A program need not call it; group sends do, to save
// allocations.
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

// Message returns the message. The caller may keep its Data, and must not change it.
func (p *Prepared) Message() Message {
	p.keep()
	return p.msg
}

// Event returns the message as an event of SendType. All calls return the same event.
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

// Key returns the message's key, which is not part of the encodings.
func (p *Prepared) Key() string { return p.msg.Key }

// Uncompressed returns Message.Uncompressed.
func (p *Prepared) Uncompressed() bool { return p.msg.Uncompressed }

// AppendFrame appends the encoding of the message for variant to b, and returns the
// result. The first call for a variant calls encode; later calls use the same bytes.
// Concurrent first calls may each call encode. Variants are compared with ==; a transport
// uses values of its own type. Only transports call AppendFrame.
func (p *Prepared) AppendFrame(b []byte, variant any, encode func(b []byte, m Message) []byte) []byte {
	return append(b, p.encoded(variant, encode, nil).bytes...)
}

// Share returns the value that share returns for variant and the message. All calls with
// the same variant return the same value, so that connections share, for example, the frame
// of a large message. The first call calls share; concurrent first calls may each call it,
// and still return one value. share must not keep m.Data. The caller may keep the value,
// also after Release. Variants are those of AppendFrame. Only transports call Share.
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
		if e == &p.first { // another goroutine was first, with this variant or another: try again
			p.claimed.Store(false)
		}
	}
}

// Err returns ErrNotUTF8 if the message is text that is not UTF-8: only connections with
// Limits.RepairText can send it. Layers call it.
func (p *Prepared) Err() error {
	if p.invalid {
		return ErrNotUTF8
	}
	return nil
}

// repaired returns the message with valid text. All calls return the same Prepared.
func (p *Prepared) repaired() *Prepared {
	p.keep()
	if p.fixed.Load() == nil {
		p.fixed.CompareAndSwap(nil, Prepare(p.msg.repaired()))
	}
	return p.fixed.Load()
}

// outgoing is a message that is sent: msg, or prepared if it is set.
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

// size returns how many bytes the message counts while it waits.
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
