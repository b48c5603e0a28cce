package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// Event is what travels through a channel layer: a type and a payload. It is
// made by [EventType.New], immutable once sent, and shared: one value reaches
// every member of a group.
//
// A payload is a struct or a map with string keys, because on the wire an event
// is {"type": ..., its fields...}, as in Channels. It is encoded once, by the
// send and on every layer, also the one in memory, so that a program behaves
// the same on all of them: what is not encoded (unexported fields, functions)
// does not arrive. The encoding is MessagePack; field names follow the json
// tags. It is decoded once per process and Go type, and that value is shared as
// well, so a handler must not change what its slices and maps hold.
type Event struct {
	typ string
	mu  struct {
		sync.Mutex
		payload any       // the sender's value, until sealed
		sealed  bool      // then one of the next two is set
		body    []byte    // a MessagePack map
		frame   *Prepared // a SendType event's message
		decoded []any     // one *P per P that asked
	}
}

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
// the event instead. Its wire form has one field, "text" or "bytes".
var SendType = EventType[Message]{Name: "websocket.send"}

// New returns an event to send. The payload is encoded by the send and may be
// changed after it, not before.
func (t EventType[P]) New(payload P) *Event {
	e := &Event{typ: t.Name}
	e.mu.payload = payload
	return e
}

// Payload returns e's payload as a P, decoded once for this process. The error
// matches ErrEventPayload. Safe for concurrent use.
func (t EventType[P]) Payload(e *Event) (P, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.mu.decoded {
		if p, ok := v.(*P); ok {
			return *p, nil
		}
	}
	p := new(P)
	if err := e.decodeLocked(p); err != nil {
		return *new(P), fmt.Errorf("%w: event %q as %T: %w", ErrEventPayload, e.typ, *p, err)
	}
	e.mu.decoded = append(e.mu.decoded, p)
	return *p, nil
}

// Seal encodes the payload. Layers call it before delivery, once or more often.
// An error is the sender's: the payload cannot be encoded, or is no struct or
// map. Safe for concurrent use.
func (e *Event) Seal() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sealLocked()
}

func (e *Event) sealLocked() error {
	if e.mu.sealed {
		return nil
	}
	if m, ok := e.mu.payload.(Message); ok && e.typ == SendType.Name {
		e.mu.frame = Prepare(m)
	} else if err := e.encodeLocked(); err != nil {
		return err
	}
	e.mu.sealed, e.mu.payload = true, nil
	return nil
}

func (e *Event) encodeLocked() error {
	b, err := marshal(e.mu.payload)
	if err != nil {
		return fmt.Errorf("wye: event %q: %T cannot be encoded: %w", e.typ, e.mu.payload, err)
	}
	if !isMap(b) || !hasNames(e.mu.payload) {
		return fmt.Errorf("wye: event %q: the payload %T is no struct or map with string keys", e.typ, e.mu.payload)
	}
	e.mu.body = b
	return nil
}

// Prepared returns the message of a SendType event, ready for many connections,
// or nil if e is of another type or holds no message. Layers call it, after
// Seal.
func (e *Event) Prepared() *Prepared {
	if e.typ != SendType.Name {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.preparedLocked()
}

func (e *Event) preparedLocked() *Prepared {
	if e.mu.frame != nil || !e.mu.sealed {
		return e.mu.frame
	}
	var d direct
	if unmarshal(e.mu.body, &d) != nil {
		return nil
	}
	if m, ok := d.message(); ok {
		e.mu.frame = Prepare(m)
	}
	return e.mu.frame
}

var errNoMessage = errors.New("it has neither a text nor bytes")

func (e *Event) decodeLocked(into any) error {
	if err := e.sealLocked(); err != nil {
		return err
	}
	if m, ok := into.(*Message); ok && e.typ == SendType.Name {
		p := e.preparedLocked()
		if p == nil {
			return errNoMessage
		}
		*m = p.Message()
		return nil
	}
	if e.mu.body == nil { // a ready message that is to be read as its wire form
		body, err := marshal(asDirect(e.mu.frame.Message()))
		if err != nil {
			return err
		}
		e.mu.body = body
	}
	return unmarshal(e.mu.body, into)
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

// tag makes MessagePack names follow the tags that SendJSON's do.
const tag = "json"

func marshal(v any) ([]byte, error) {
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	var b bytes.Buffer
	enc.Reset(&b)
	enc.SetCustomStructTag(tag)
	enc.UseCompactInts(true) // as Python's packer writes them
	err := enc.Encode(v)
	return b.Bytes(), err
}

func unmarshal(b []byte, into any) error {
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(bytes.NewReader(b))
	dec.SetCustomStructTag(tag)
	return dec.Decode(into)
}

// hasNames reports whether v, if it is a map, has strings for keys.
func hasNames(v any) bool {
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t == nil || t.Kind() != reflect.Map || t.Key().Kind() == reflect.String
}

// isMap reports whether b begins a MessagePack map: fixmap, map 16 or map 32.
func isMap(b []byte) bool {
	return len(b) > 0 && (b[0]&0xf0 == 0x80 || b[0] == 0xde || b[0] == 0xdf)
}
