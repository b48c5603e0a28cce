package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// JSONConsumer is a [Consumer] that receives decoded messages. In is any type that
// encoding/json decodes into.
type JSONConsumer[In any] interface {
	// Connect decides whether to accept the connection; see [Consumer].
	Connect(ctx context.Context, c *Conn) error
	// ReceiveJSON handles one message. in belongs to the callee, which may keep it.
	ReceiveJSON(ctx context.Context, c *Conn, in In) error
	// Disconnect runs once, after an accepted connection has closed; see [Consumer].
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

// JSON is [New] for a consumer of decoded messages. In is inferred from the method
// ReceiveJSON.
//
// A message that cannot be decoded does not reach ReceiveJSON. It closes the connection,
// with 1003 if it is binary and with 1007 if it is text. [OnDecodeError] changes that.
func JSON[C JSONConsumer[In], In any](factory func(*Scope) C, opts ...Option[C]) Application {
	sp := newSpec(opts)
	if len(sp.json.cases) > 0 {
		panic("wye: consumer.JSON: consumer.Case is an option of consumer.JSONBy, and JSON never calls its handler; use consumer.JSONBy")
	}
	return newApplication(factory, decodeInto(&sp.json, C.ReceiveJSON), sp)
}

// JSONBy is [New] for a consumer of JSON objects of several types. Each object names its
// type in a text field, for example "type":
//
//	consumer.JSONBy("type", NewChat,
//		consumer.Case("say", (*Chat).say),
//		consumer.Case("typing", (*Chat).typing))
//
// A message goes to the handler whose [Case] has the text of its field. If there is
// none, the message goes to Receive as it came. A message that is not a JSON object, or
// whose field is not text, is one that cannot be decoded: see [JSON].
//
// The name of the field is compared exactly. If an object has the field twice, the last
// one counts, as in encoding/json. JSONBy panics if field is "".
func JSONBy[C Consumer](field string, factory func(*Scope) C, opts ...Option[C]) Application {
	if field == "" {
		panic("wye: consumer.JSONBy: the field has no name")
	}
	refuseReceiveJSON(reflect.TypeFor[C]())
	sp := newSpec(opts)
	receive := func(v C, ctx context.Context, c *Conn, m Message) error {
		name, err := textField(m, field)
		if err != nil {
			return sp.json.undecodable(ctx, v, c, m, err)
		}
		if handle := sp.json.cases[name]; handle != nil {
			return handle(v, ctx, c, m)
		}
		return v.Receive(ctx, c, m)
	}
	return newApplication(factory, receive, sp)
}

// Case declares h as the handler of the messages whose field has the text name, in a
// consumer that [JSONBy] makes. h is usually a method expression. It is called as
// [Consumer].Receive is, and an error that it returns means the same. in is decoded
// from the whole object; it belongs to h, which may keep it.
//
// Case panics if name is "" or h is nil. The constructor panics if a name has two
// handlers, or if it is not JSONBy.
func Case[C, In any](name string, h func(v C, ctx context.Context, c *Conn, in In) error) Option[C] {
	switch {
	case name == "":
		panic("wye: consumer.Case: the name is empty; handle objects without the field in Receive")
	case h == nil:
		panic(fmt.Sprintf("wye: consumer.Case: the handler of %q is nil", name))
	}
	return optionFunc[C](func(s *spec[C]) {
		if s.json.cases[name] != nil {
			panic(fmt.Sprintf("wye: consumer.Case: %q has two handlers in one consumer", name))
		}
		if s.json.cases == nil {
			s.json.cases = map[string]receiveFunc[C]{}
		}
		s.json.cases[name] = decodeInto(&s.json, h)
	})
}

// OnDecodeError calls h for each message that a consumer made by [JSON] or [JSONBy]
// cannot decode, in place of closing the connection. err is the error of encoding/json,
// for example a *json.UnmarshalTypeError that names the field, or [ErrNotText] for a
// binary message. h is called as [Consumer].Receive is, and what it returns means the
// same: nil keeps the connection open.
//
// OnDecodeError panics if h is nil. The constructor panics if it is given two of them,
// or if it is not JSON or JSONBy.
func OnDecodeError[C any](h func(v C, ctx context.Context, c *Conn, m Message, err error) error) Option[C] {
	if h == nil {
		panic("wye: consumer.OnDecodeError: the function is nil")
	}
	return optionFunc[C](func(s *spec[C]) {
		if s.json.onError != nil {
			panic("wye: consumer.OnDecodeError: one consumer has two of them; use one")
		}
		s.json.onError = h
	})
}

// ErrNotText is the error that [OnDecodeError] receives for a binary message.
var ErrNotText = errors.New("wye: decoding JSON: the message is binary; send JSON as text")

// decodeInto returns a function that decodes a message and calls h with the result.
func decodeInto[C, In any](s *jsonSpec[C], h func(C, context.Context, *Conn, In) error) receiveFunc[C] {
	return func(v C, ctx context.Context, c *Conn, m Message) error {
		var in In
		if err := decodeText(m, &in); err != nil {
			return s.undecodable(ctx, v, c, m, err)
		}
		return h(v, ctx, c, in)
	}
}

// textField returns the text of a field of m, which is a JSON object, or "" if m has no
// such field.
func textField(m Message, field string) (text string, err error) {
	var fields map[string]json.RawMessage
	if err := decodeText(m, &fields); err != nil {
		return "", err
	}
	value, has := fields[field]
	if !has {
		return "", nil
	}
	if err := json.Unmarshal(value, &text); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			wrong.Field = field
		}
		return "", fmt.Errorf("wye: field %q: %w", field, err)
	}
	return text, nil
}

func decodeText(m Message, into any) error {
	if m.Kind != KindText {
		return ErrNotText
	}
	return json.Unmarshal(m.Data, into) //nolint:wrapcheck // OnDecodeError gets it as it is
}

// undecodable returns the result of Receive for a message that cannot be decoded because
// of err.
func (s *jsonSpec[C]) undecodable(ctx context.Context, v C, c *Conn, m Message, err error) error {
	if s.onError != nil {
		return s.onError(v, ctx, c, m, err)
	}
	if errors.Is(err, ErrNotText) {
		return NewCloseError(CloseUnsupportedData, "binary message; send JSON as text")
	}
	return NewCloseError(CloseInvalidPayload, "not the expected JSON"+describeField(err))
}

// describeField returns the end of a close reason that names the field which could not
// be decoded. It is "" if err does not tell.
func describeField(err error) string {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return ""
	case wrong.Field == "":
		return ": it cannot be " + withArticle(wrong.Value)
	}
	return fmt.Sprintf(": field %q cannot be %s", wrong.Field, withArticle(wrong.Value))
}

// withArticle returns value, which is encoding/json's description of a JSON value, with
// its article: "a string", "an array", "the number 1.5".
func withArticle(value string) string {
	switch {
	case strings.Contains(value, " "):
		return "the " + value
	case value == "array", value == "object":
		return "an " + value
	}
	return "a " + value
}
