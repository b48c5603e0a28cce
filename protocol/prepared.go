package protocol

import "sync/atomic"

// Prepared is one message on its way to many connections. Every transport
// encodes it once per variant, for example plain and deflated, and the
// connections share the bytes. It is immutable and safe for concurrent use.
type Prepared struct {
	msg    Message
	frames atomic.Pointer[encoded]
}

// encoded is a list of the encodings made so far, newest first.
type encoded struct {
	variant any
	bytes   []byte
	next    *encoded
}

// Prepare copies m, once.
func Prepare(m Message) *Prepared { return &Prepared{msg: m.Clone()} }

// Message returns the message. Nobody may change its Data.
func (p *Prepared) Message() Message { return p.msg }

// Frame returns the encoding of the message for variant, which encode makes for
// the first that asks. Variants are compared with ==; a transport uses values
// of a type of its own. When several ask at once, encode may run more than
// once. Nobody may change the bytes. Transports call it, applications need not
// know it.
func (p *Prepared) Frame(variant any, encode func(Message) []byte) []byte {
	for {
		head := p.frames.Load()
		for e := head; e != nil; e = e.next {
			if e.variant == variant {
				return e.bytes
			}
		}
		e := &encoded{variant: variant, bytes: encode(p.msg), next: head}
		if p.frames.CompareAndSwap(head, e) {
			return e.bytes
		}
	}
}
