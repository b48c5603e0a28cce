package protocol

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/payload"
)

// Event is what a channel layer carries: a type and a payload. [EventType.New] makes it. It
// is immutable once sent, and shared: all members of a group in a process get the same
// value.
//
// A payload is a struct or a map, because on the wire an event is
// {"type": ..., its fields...}, as in Django Channels. The send encodes it once, on every
// layer, also on the one in memory, so that a program behaves the same on all of them. It
// is decoded once per process and Go type. Handlers share the decoded value as well, so
// they must not change the contents of its slices and maps.
//
// The encoding follows the rules of encoding/json: its tags and their options, embedded
// structs, MarshalJSON and MarshalText, json.Number, json.RawMessage. A payload arrives as
// if it had been sent as JSON, except that:
//
//   - a []byte or [N]byte travels as bytes: a field of type any receives it as a []byte,
//     and a field of type string cannot receive it;
//   - a field of type any receives a number as int64, as uint64 if it is larger, or as
//     float64 if it was a float;
//   - NaN and infinities arrive;
//   - numbers that a MarshalJSON or a json.Number writes arrive by value, 1.50 as 1.5; a
//     number that fits neither int64, uint64 nor float64 is an error of the send.
//
// The send returns an error, which names the field, for what JSON cannot carry: a func, a
// chan, a value that contains itself, or one that is nested more than 500 levels deep. The
// encoding is MessagePack: a node in Python gets dicts with str for keys, lists, str,
// bytes, int, float, bool and None, and a time as its RFC 3339 text. What such a node sends
// is decoded by the same rules; keys of a dict that are int or bytes become text.
type Event struct {
	typ      string
	sealing  sync.Once
	payload  any          // the sender's value; nil once it is sealed
	failure  *sealFailure // why it could not be encoded; nil if it could, or it is not sealed yet
	body     []byte       // a MessagePack map; nil if the event was sealed as a message
	position *Position    // in its group's history; nil if it was not recorded

	// decoded are the payload as Go types, the newest first. They are found without a lock,
	// because all members of a group look here, on several loops at once.
	decoded atomic.Pointer[decoding]

	mu struct {
		sync.Mutex
		frame *Prepared // a SendType event's message
	}
}

// sealFailure holds the error of a payload that cannot be encoded. It is a pointer in
// Event, because with an error of two words an Event would need a larger allocation.
type sealFailure struct{ err error }

// decoding is an entry in the list of an event's decodings.
type decoding struct {
	of     any // the *decoded that it is a part of
	before *decoding
}

// decoded is the payload as one Go type, made once.
type decoded[P any] struct {
	decoding

	once  sync.Once
	value P
	err   error
}

// Type returns the event's type, for example "chat.message".
func (e *Event) Type() string { return e.typ }

// EventType declares a type of event: its name on the wire, and the Go type of its payload.
// Declare it once, as a package variable that the sender and the handler use:
//
//	var Said = protocol.EventType[Line]{Name: "chat.message"}
//
// A name has ASCII letters, digits and underscores, and periods between words, as in Django
// Channels.
type EventType[P any] struct{ Name string }

// SendType is the type of events that hold a ready message; ASGI has the same name. A layer
// encodes the message once and puts it on the outgoing queue of each member, without
// calling a consumer. A consumer that declares a handler for SendType gets the event
// instead. On the wire the event has one field, "text" or "bytes", so that a Message.Key
// has an effect in the sender's process only; with Message.Uncompressed it has a field
// "uncompressed", too. For text that is not UTF-8 the send returns
// an error that matches ErrNotUTF8; text that another node has sent is repaired with
// U+FFFD, as in all payloads.
var SendType = EventType[Message]{Name: "websocket.send"}

// New returns an event to send. The send encodes the payload. The caller must not change
// the payload before the send has returned.
func (t EventType[P]) New(payload P) *Event { return &Event{typ: t.Name, payload: payload} }

// Payload returns e's payload as a P. It is decoded once in this process, and shared. If
// the payload does not fit P, the error matches ErrEventPayload. Safe for concurrent use.
func (t EventType[P]) Payload(e *Event) (P, error) {
	d := decodingOf[P](e)
	d.once.Do(func() {
		d.err = errDecodePanic // unless decode returns
		err := e.decode(&d.value)
		if err != nil {
			d.value = *new(P) // it may be decoded in part
			err = fmt.Errorf("%w: event %q as %T: %w", ErrEventPayload, e.typ, d.value, err)
		}
		d.err = err
	})
	return d.value, d.err
}

// decodingOf returns e's decoding as a P, which it adds if there is none.
func decodingOf[P any](e *Event) *decoded[P] {
	for {
		last := e.decoded.Load()
		for entry := last; entry != nil; entry = entry.before {
			if d, ok := entry.of.(*decoded[P]); ok {
				return d
			}
		}
		d := &decoded[P]{decoding: decoding{before: last}}
		d.of = d
		if e.decoded.CompareAndSwap(last, &d.decoding) {
			return d
		}
	}
}

// seal encodes the payload. Layers call it before delivery; later calls return the same
// result. It returns an error, which names the field, if the payload cannot be encoded, or
// is neither a struct nor a map. Safe for concurrent use.
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

// sealed drops the sender's value, and keeps the error of its encoding.
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
		return nil, fmt.Errorf("wye: event %q: the payload of type %T cannot be encoded: %w", e.typ, v, err)
	case len(b) == 1 && b[0] == packedNil:
		return nil, fmt.Errorf("wye: event %q: the payload of type %T is nil; send an empty one", e.typ, v)
	case !isMap(b):
		return nil, fmt.Errorf("wye: event %q: the payload is %T; send a struct or a map", e.typ, v)
	}
	return b, nil
}

// Prepared returns the message of a SendType event, to be sent to many connections, or nil
// if e has another type or does not hold a message. It encodes e if that was not done.
// Layers call it.
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

// The errors of an event whose payload's own methods have panicked.
var (
	errDecodePanic = fmt.Errorf("%w: its method panicked while it was decoded", ErrEventPayload)
	errEncodePanic = errors.New("wye: the event cannot be sent: a method of its payload panicked while it was encoded")
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
	body, err := payload.Encode(asDirect(e.Prepared().Message())) // a ready message, as it is on the wire
	if err != nil {
		return err
	}
	return payload.Decode(body, into)
}

// direct is a SendType event on the wire, which has one of the fields.
type direct struct {
	Text  *string `json:"text"`
	Bytes []byte  `json:"bytes"`

	Uncompressed bool `json:"uncompressed"`
}

func asDirect(m Message) map[string]any {
	fields := map[string]any{}
	if m.Kind == KindBinary {
		fields["bytes"] = append([]byte{}, m.Data...)
	} else {
		fields["text"] = m.Text()
	}
	if m.Uncompressed {
		fields["uncompressed"] = true
	}
	return fields
}

func (d direct) message() (m Message, ok bool) {
	switch {
	case d.Text != nil:
		m = Text(*d.Text)
	case d.Bytes != nil:
		m = Binary(d.Bytes)
	default:
		return Message{}, false
	}
	m.Uncompressed = d.Uncompressed
	return m, true
}

// packedNil is nil in MessagePack.
const packedNil = 0xc0

// isMap reports whether b starts a MessagePack map: fixmap, map 16 or map 32.
func isMap(b []byte) bool {
	return len(b) > 0 && (b[0]&0xf0 == 0x80 || b[0] == 0xde || b[0] == 0xdf)
}

// Position returns the event's position in the history of its group, or the zero value if
// the event was not recorded.
func (e *Event) Position() Position {
	if e.position == nil {
		return Position{}
	}
	return *e.position
}

// placed is an event and its position, in one allocation.
type placed struct {
	event    Event
	position Position
}

// at returns a copy of e with the position p, which shares e's payload. It seals e; if that
// fails, the copy's seal returns the same error. Layers and their drivers call it.
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
