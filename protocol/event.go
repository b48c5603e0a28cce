package protocol

import (
	"errors"
	"fmt"
	"sync"

	"github.com/wye-go/wye/internal/payload"
)

// Event is what travels through a channel layer: a type and a payload. It is
// made by [EventType.New], immutable once sent, and shared: one value reaches
// every member of a group.
//
// A payload is a struct or a map, because on the wire an event is
// {"type": ..., its fields...}, as in Channels. It is encoded once, by the send
// and on every layer, also the one in memory, so that a program behaves the same
// on all of them. It is decoded once per process and Go type, and that value is
// shared as well, so a handler must not change what its slices and maps hold.
//
// What is encoded follows the rules of encoding/json: its tags and their options,
// embedded structs, MarshalJSON and MarshalText, json.Number, json.RawMessage. A
// payload arrives as if it had been sent as JSON, except that:
//
//   - a []byte or [N]byte travels as bytes, which an any receives as a []byte,
//     and which no string can be read from;
//   - numbers in an any are int64, or uint64 beyond it, and float64 if they were
//     floats;
//   - NaN and infinities arrive;
//   - numbers that a MarshalJSON or a json.Number writes arrive by value, 1.50 as
//     1.5; those that fit no int64, uint64 or float64 are an error.
//
// What JSON cannot carry, such as a func, a chan, a value that contains itself or
// one that is nested more than 500 levels deep, is an error of the send, which
// names the field. The encoding is MessagePack: a peer in Python gets dicts with
// str for keys, lists, str, bytes, int, float, bool and None, and a time as its
// RFC 3339 text. What such a peer sends is read by the same rules; keys of a dict
// that are int or bytes become text.
type Event struct {
	typ      string
	sealing  sync.Once
	payload  any          // the sender's value; nil once it is sealed
	failure  *sealFailure // what was wrong with it; nil if nothing was, or it is not sealed yet
	body     []byte       // a MessagePack map; nil if the event was sealed as a message
	position *Position    // in its group's history; nil if it has none

	mu struct {
		sync.Mutex
		frame   *Prepared // a SendType event's message
		decoded []decoding
	}
}

// sealFailure holds the error of a payload that cannot be encoded. It is a pointer in
// Event, because with an error of two words an Event would need a larger allocation.
type sealFailure struct{ err error }

// decoding is the payload as one Go type, made once.
type decoding interface{ isDecoding() }

type decoded[P any] struct {
	once  sync.Once
	value P
	err   error
}

func (*decoded[P]) isDecoding() {}

// Type returns the event's type, for example "chat.message".
func (e *Event) Type() string { return e.typ }

// EventType ties a wire name to the Go type of its payload, for the sender and
// the handler alike, so that neither can misspell it. Declare it once, as a
// package variable:
//
//	var Said = protocol.EventType[Line]{Name: "chat.message"}
//
// Names are written as in Channels: ASCII letters, digits, underscores, and
// periods between words.
type EventType[P any] struct{ Name string }

// SendType is the type of events that hold a ready message, as ASGI names it. A
// layer puts the message on each member's outgoing queue, encoded once, without
// waking the consumers; a consumer that declares a handler for SendType gets
// the event instead. Its wire form has one field, "text" or "bytes", so that a
// Message.Key counts for members in the sender's process only. Text that is not UTF-8
// is an error of the send, which matches ErrNotUTF8; text that another node has sent is
// repaired with U+FFFD, as in all payloads.
var SendType = EventType[Message]{Name: "websocket.send"}

// New returns an event to send. The payload is encoded by the send and may be
// changed after it, not before.
func (t EventType[P]) New(payload P) *Event { return &Event{typ: t.Name, payload: payload} }

// Payload returns e's payload as a P, decoded once for this process. The error
// matches ErrEventPayload. Safe for concurrent use.
func (t EventType[P]) Payload(e *Event) (P, error) {
	d := decodingOf[P](e)
	d.once.Do(func() {
		d.err = errDecodePanic // unless it returns
		err := e.decode(&d.value)
		if err != nil {
			d.value = *new(P) // not half of it
			err = fmt.Errorf("%w: event %q as %T: %w", ErrEventPayload, e.typ, d.value, err)
		}
		d.err = err
	})
	return d.value, d.err
}

// decodingOf finds or adds the place for e's payload as a P.
func decodingOf[P any](e *Event) *decoded[P] {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.mu.decoded {
		if d, ok := d.(*decoded[P]); ok {
			return d
		}
	}
	d := new(decoded[P])
	e.mu.decoded = append(e.mu.decoded, d)
	return d
}

// seal encodes the payload. Layers call it before delivery, once or more often.
// An error is the sender's: the payload cannot be encoded, or is no struct or
// map. It names the field. Safe for concurrent use.
func (e *Event) seal() error {
	e.sealing.Do(func() {
		err := errEncodePanic
		defer func() { e.sealed(err) }()
		if m, ok := e.payload.(Message); ok && e.typ == SendType.Name {
			e.mu.frame = Prepare(m)
			err = e.mu.frame.Err()
			return
		}
		e.body, err = e.encode(e.payload)
	})
	if e.failure == nil {
		return nil
	}
	return e.failure.err
}

// sealed drops the sender's value, and keeps what was wrong with it.
func (e *Event) sealed(err error) {
	e.payload = nil
	if err != nil {
		e.failure = &sealFailure{err}
	}
}

// size is what a sealed event counts in a mailbox.
func (e *Event) size() int {
	n := len(e.body)
	if n == 0 && e.typ == SendType.Name {
		if p := e.Prepared(); p != nil {
			n = p.Len()
		}
	}
	return n + messageOverhead
}

func (e *Event) encode(v any) ([]byte, error) {
	b, err := payload.Encode(v)
	switch {
	case err != nil:
		return nil, fmt.Errorf("wye: event %q: %T cannot be encoded: %w", e.typ, v, err)
	case len(b) == 1 && b[0] == packedNil:
		return nil, fmt.Errorf("wye: event %q: the payload %T is nil; send an empty one", e.typ, v)
	case !isMap(b):
		return nil, fmt.Errorf("wye: event %q: the payload %T is no struct or map", e.typ, v)
	}
	return b, nil
}

// Prepared returns the message of a SendType event, ready for many connections,
// or nil if e is of another type or holds no message. It seals e. Layers call it.
func (e *Event) Prepared() *Prepared {
	if e.typ != SendType.Name || e.seal() != nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.frame != nil {
		return e.mu.frame
	}
	var d direct
	if payload.Decode(e.body, &d) != nil {
		return nil
	}
	if m, ok := d.message(); ok {
		e.mu.frame = Prepare(m)
	}
	return e.mu.frame
}

// What is left of a payload whose own code has panicked.
var (
	errDecodePanic = fmt.Errorf("%w: decoding it has panicked", ErrEventPayload)
	errEncodePanic = errors.New("wye: the event's payload has panicked when it was encoded")
)

var errNoMessage = errors.New("it has neither a text nor bytes")

// decode decodes the payload. User code may run in it, so no lock is held.
func (e *Event) decode(into any) error {
	if err := e.seal(); err != nil {
		return err
	}
	if m, ok := into.(*Message); ok && e.typ == SendType.Name {
		p := e.Prepared()
		if p == nil {
			return errNoMessage
		}
		*m = p.Message()
		return nil
	}
	if e.body != nil {
		return payload.Decode(e.body, into)
	}
	body, err := payload.Encode(asDirect(e.Prepared().Message())) // a ready message that is to be read as its wire form
	if err != nil {
		return err
	}
	return payload.Decode(body, into)
}

// direct is the wire form of a SendType event, of which one field is there.
type direct struct {
	Text  *string `json:"text"`
	Bytes []byte  `json:"bytes"`
}

func asDirect(m Message) map[string]any {
	if m.Kind == KindBinary {
		return map[string]any{"bytes": append([]byte{}, m.Data...)}
	}
	return map[string]any{"text": m.Text()}
}

func (d direct) message() (m Message, ok bool) {
	switch {
	case d.Text != nil:
		return Text(*d.Text), true
	case d.Bytes != nil:
		return Binary(d.Bytes), true
	}
	return Message{}, false
}

// packedNil is what MessagePack makes of nil.
const packedNil = 0xc0

// isMap reports whether b begins a MessagePack map: fixmap, map 16 or map 32.
func isMap(b []byte) bool {
	return len(b) > 0 && (b[0]&0xf0 == 0x80 || b[0] == 0xde || b[0] == 0xdf)
}

// Position returns the event's place in its group's history, as its layer has
// kept it: the zero value if it was not recorded.
func (e *Event) Position() Position {
	if e.position == nil {
		return Position{}
	}
	return *e.position
}

// placed is an event with its place, in one piece of memory.
type placed struct {
	event    Event
	position Position
}

// at returns a copy of e at p, which shares e's payload. It seals e, and if that
// fails so does the copy's seal. Layers and their drivers call it.
func (e *Event) at(p Position) *Event {
	err := e.seal()
	at := &placed{position: p}
	c := &at.event
	c.typ, c.body = e.typ, e.body
	if !p.IsZero() {
		c.position = &at.position
	}
	c.sealing.Do(func() { c.sealed(err) })
	if m := e.Prepared(); m != nil {
		c.mu.frame = m.of(c)
	}
	return c
}

// of returns p's message as that of e.
func (p *Prepared) of(e *Event) *Prepared {
	c := &Prepared{msg: p.Message()}
	c.keep()
	c.event.Store(e)
	return c
}
