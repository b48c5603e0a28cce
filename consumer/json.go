package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/wye-go/wye/protocol"
)

// JSONConsumer is a [Consumer] that receives decoded messages. In may be any
// type that encoding/json decodes into.
type JSONConsumer[In any] interface {
	// Connect decides; see [Consumer].
	Connect(ctx context.Context, c *Conn) error
	// ReceiveJSON handles a message. in is its own, and may be kept.
	ReceiveJSON(ctx context.Context, c *Conn, in In) error
	// Disconnect runs once, after an accepted connection has closed; see [Consumer].
	Disconnect(ctx context.Context, c *Conn, s CloseStatus)
}

// JSON is [New] for a consumer of decoded messages; In is inferred. A message that
// does not decode is the peer's mistake and does not reach ReceiveJSON: it closes the
// connection, with 1003 if it is binary and with 1007 otherwise, unless
// [OnDecodeError] decides something else.
func JSON[C JSONConsumer[In], In any](factory func(*Scope) C, opts ...Option[C]) protocol.Application {
	sp := newSpec(opts)
	if len(sp.json.cases) > 0 {
		panic("wye: consumer.JSON: it has handlers made by consumer.Case, which JSON never calls; use consumer.JSONBy")
	}
	return build(factory, decodeInto(&sp.json, C.ReceiveJSON), sp)
}

// JSONBy is [New] for a consumer of JSON objects that say themselves what they are, in
// a field of text such as "type":
//
//	consumer.JSONBy("type", NewChat,
//		consumer.Case("say", (*Chat).say),
//		consumer.Case("typing", (*Chat).typing))
//
// A message goes to the handler whose [Case] has the text of its field; every other
// object goes to Receive, as it came. What is not a JSON object, or has another kind of
// value in the field, is handled as [JSON] handles what does not decode. The name of the
// field is compared exactly; of two fields with one name the last counts, as in
// encoding/json.
func JSONBy[C Consumer](field string, factory func(*Scope) C, opts ...Option[C]) protocol.Application {
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
	return build(factory, receive, sp)
}

// Case has h handle the messages of a consumer made by [JSONBy] whose field has the text
// name. h is a method expression as a rule; it is called as Receive is, and what it
// returns means the same. in is its own, and may be kept. Two handlers for one name
// panic, and so do an empty name and a Case that is given to another constructor than
// JSONBy.
func Case[C, In any](name string, h func(v C, ctx context.Context, c *Conn, in In) error) Option[C] {
	switch {
	case name == "":
		panic("wye: consumer.Case: the name is empty; what has no type of its own goes to Receive")
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

// OnDecodeError has h decide about messages that a consumer made by [JSON] or [JSONBy]
// cannot decode. err is what encoding/json says, for example a *json.UnmarshalTypeError
// that names the field, or [ErrNotText] for a binary message. h is called as Receive is,
// and what it returns means the same: nil goes on with the next message. Given twice, or
// to another constructor, it panics.
func OnDecodeError[C any](h func(v C, ctx context.Context, c *Conn, m Message, err error) error) Option[C] {
	if h == nil {
		panic("wye: consumer.OnDecodeError: the function is nil")
	}
	return optionFunc[C](func(s *spec[C]) {
		if s.json.onError != nil {
			panic("wye: consumer.OnDecodeError: one consumer has two of them")
		}
		s.json.onError = h
	})
}

// ErrNotText is what [OnDecodeError] is given for a binary message.
var ErrNotText = errors.New("wye: JSON is expected in text messages, and this one is binary")

// jsonSpec is what options say about JSON messages.
type jsonSpec[C any] struct {
	onError func(C, context.Context, *Conn, Message, error) error // nil: close
	cases   map[string]receiveFunc[C]                             // by name; of JSONBy
}

// refuse panics if there are options that the constructor has no use for.
func (s *jsonSpec[C]) refuse(constructor string) {
	if s.onError != nil || len(s.cases) > 0 {
		panic("wye: " + constructor + ": consumer.OnDecodeError and consumer.Case are for consumer.JSON and consumer.JSONBy")
	}
}

// decodeInto returns what decodes a message and hands it to h.
func decodeInto[C, In any](s *jsonSpec[C], h func(C, context.Context, *Conn, In) error) receiveFunc[C] {
	return func(v C, ctx context.Context, c *Conn, m Message) error {
		var in In
		if err := decodeText(m, &in); err != nil {
			return s.undecodable(ctx, v, c, m, err)
		}
		return h(v, ctx, c, in)
	}
}

// textField returns the text of a field of m, a JSON object; "" if it has none.
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
	if m.Kind != protocol.KindText {
		return ErrNotText
	}
	return json.Unmarshal(m.Data, into) //nolint:wrapcheck // OnDecodeError gets it as it is
}

// undecodable decides about a message that does not decode because of err.
func (s *jsonSpec[C]) undecodable(ctx context.Context, v C, c *Conn, m Message, err error) error {
	if s.onError != nil {
		return s.onError(v, ctx, c, m, err)
	}
	if errors.Is(err, ErrNotText) {
		return protocol.NewCloseError(protocol.CloseUnsupportedData, "JSON is expected, in text messages")
	}
	return protocol.NewCloseError(protocol.CloseInvalidPayload, "not the JSON that is expected"+where(err))
}

// where names the field that is wrong, if err does.
func where(err error) string {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return ""
	case wrong.Field == "":
		return ": it cannot be " + withArticle(wrong.Value)
	}
	return fmt.Sprintf(": field %q cannot be %s", wrong.Field, withArticle(wrong.Value))
}

// withArticle puts its article before the name of a JSON value, as encoding/json has
// it: "a string", "an array", "the number 1.5".
func withArticle(value string) string {
	switch {
	case strings.Contains(value, " "):
		return "the " + value
	case value == "array", value == "object":
		return "an " + value
	}
	return "a " + value
}
