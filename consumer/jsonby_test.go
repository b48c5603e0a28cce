package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// talker sends its peer what its handlers receive.
type talker struct{ consumer.Base }

type say struct {
	Text string `json:"text"`
}

type move struct {
	X, Y int
}

func (*talker) say(ctx context.Context, c *consumer.Conn, in say) error {
	return c.SendText(ctx, "say "+in.Text)
}

func (*talker) move(ctx context.Context, c *consumer.Conn, in *move) error {
	return c.SendText(ctx, fmt.Sprintf("move %d %d", in.X, in.Y))
}

func (*talker) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return c.SendText(ctx, "receive "+m.Text())
}

func newTalker(*consumer.Scope) *talker { return &talker{} }

func TestJSONBy(t *testing.T) {
	t.Parallel()
	app := consumer.JSONBy("type", newTalker, consumer.Case("say", (*talker).say), consumer.Case("move", (*talker).move))
	rows := []struct {
		at   testkit.Line
		name string
		in   protocol.Message
		want string // "": closed
		code protocol.CloseCode
	}{
		{testkit.Here(), "one", protocol.Text(`{"type":"say","text":"hi"}`), "say hi", 0},
		{testkit.Here(), "another", protocol.Text(` {"x":1,"type":"move","Y":2} `), "move 1 2", 0},
		{testkit.Here(), "escaped", protocol.Text(`{"t\u0079pe":"s\u0061y"}`), "say ", 0},
		{testkit.Here(), "twice: the last counts", protocol.Text(`{"type":"move","type":"say"}`), "say ", 0},
		{testkit.Here(), "nested fields do not count", protocol.Text(`{"a":{"type":"say"}}`), `receive {"a":{"type":"say"}}`, 0},
		{testkit.Here(), "compared exactly", protocol.Text(`{"Type":"say"}`), `receive {"Type":"say"}`, 0},
		{testkit.Here(), "unknown", protocol.Text(`{"type":"shout"}`), `receive {"type":"shout"}`, 0},
		{testkit.Here(), "none", protocol.Text(`{}`), `receive {}`, 0},
		{testkit.Here(), "null object", protocol.Text(`null`), `receive null`, 0},
		{testkit.Here(), "no text", protocol.Text(`{"type":1}`), "", protocol.CloseInvalidPayload},
		{testkit.Here(), "payload does not fit", protocol.Text(`{"type":"say","text":1}`), "", protocol.CloseInvalidPayload},
		{testkit.Here(), "no object", protocol.Text(`["say"]`), "", protocol.CloseInvalidPayload},
		{testkit.Here(), "no JSON", protocol.Text(`say`), "", protocol.CloseInvalidPayload},
		{testkit.Here(), "binary", protocol.Binary([]byte(`{"type":"say"}`)), "", protocol.CloseUnsupportedData},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ann := consumertest.Connect(t, app, "/", nil)
			ann.Send(row.in)
			if row.want == "" {
				ann.WantClose(row.code)
			} else if got := ann.Message().Text(); got != row.want {
				t.Errorf("%s: got %q, want %q", row.at, got, row.want)
			}
		})
	}
}

// A message without a Case is counted and logged if the consumer declares no Receive. The
// connection stays open.
func TestJSONByWithoutReceive(t *testing.T) {
	t.Parallel()
	type quiet struct{ consumer.Base }
	out := &logged{TB: t}
	pong := func(_ *quiet, ctx context.Context, c *consumer.Conn, _ struct{}) error {
		return c.SendText(ctx, "pong")
	}
	app := consumer.JSONBy("type", func(*consumer.Scope) *quiet { return &quiet{} }, consumer.Case("ping", pong))
	ann := consumertest.Connect(out, app, "/", nil)
	ann.SendText(`{"type":"other"}`)
	ann.SendText(`{"type":"ping"}`)
	ann.WantText("pong")
	if got := ann.Stats().MessagesUnread; got != 1 || !strings.Contains(out.String(), "declares no method Receive") {
		t.Errorf("counted %d as unread and logged %q", got, out.String())
	}
}

func TestOnDecodeError(t *testing.T) {
	t.Parallel()
	decide := consumer.OnDecodeError(func(_ *adder, ctx context.Context, c *consumer.Conn, m consumer.Message, err error) error {
		wrong, isType := errors.AsType[*json.UnmarshalTypeError](err)
		switch {
		case errors.Is(err, consumer.ErrNotText):
			return c.SendText(ctx, "binary "+m.Text())
		case isType:
			return c.SendText(ctx, "no "+wrong.Value)
		case m.Text() == "bye":
			return protocol.NewCloseError(4000, "bye")
		}
		return c.SendText(ctx, "no JSON")
	})
	ann := consumertest.Connect(t, consumer.JSON(func(*consumer.Scope) *adder { return &adder{} }, decide), "/", nil)
	ann.SendText("[1,")
	ann.WantText("no JSON")
	ann.SendText(`["a"]`)
	ann.WantText("no string")
	ann.SendBinary([]byte("[1]"))
	ann.WantText("binary [1]")
	ann.SendText("[20, 22]")
	ann.WantJSON(map[string]int{"sum": 42})
	ann.SendText("bye")
	ann.WantClose(4000)
}

func TestCloseReasonNamesTheField(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at       testkit.Line
		in, want string
	}{
		{testkit.Here(), `{"type":"say","text":1}`, `not the expected JSON: field "text" cannot be a number`},
		{testkit.Here(), `{"type":true}`, `not the expected JSON: field "type" cannot be a bool`},
		{testkit.Here(), `["say"]`, `not the expected JSON: it cannot be an array`},
		{testkit.Here(), `{"type":"say","text":{}}`, `not the expected JSON: field "text" cannot be an object`},
		{testkit.Here(), `{"type":"move","X":1.5}`, `not the expected JSON: field "X" cannot be the number 1.5`},
		{testkit.Here(), `{`, `not the expected JSON`},
	} {
		ann := consumertest.Connect(t, consumer.JSONBy("type", newTalker, consumer.Case("say", (*talker).say), consumer.Case("move", (*talker).move)), "/", nil)
		ann.SendText(row.in)
		if got := ann.WantClose(protocol.CloseInvalidPayload).Reason; got != row.want {
			t.Errorf("%s: closed with %q, want %q", row.at, got, row.want)
		}
	}
}

// jsonOnly has no Receive of its own, and a ReceiveJSON that New would never call.
type jsonOnly struct{ consumer.Base }

func (*jsonOnly) ReceiveJSON(context.Context, *consumer.Conn, int) error { return nil }

func TestJSONConstructorPanics(t *testing.T) {
	t.Parallel()
	ignore := func(*talker, context.Context, *consumer.Conn, consumer.Message, error) error { return nil }
	newJSONOnly := func(*consumer.Scope) *jsonOnly { return &jsonOnly{} }
	for _, row := range []struct {
		at    testkit.Line
		start func()
		want  string
	}{
		{testkit.Here(), func() { consumer.New(newJSONOnly) }, "use consumer.JSON"},
		{testkit.Here(), func() { consumer.JSONBy("type", newJSONOnly) }, "ReceiveJSON"},
		{testkit.Here(), func() { consumer.JSONBy("", newTalker) }, "the field has no name"},
		{testkit.Here(), func() { consumer.Case[*talker, say]("say", nil) }, `the handler of "say" is nil`},
		{testkit.Here(), func() { consumer.OnDecodeError[*talker](nil) }, "the function is nil"},
		{testkit.Here(), func() { consumer.On[*talker](protocol.EventType[say]{Name: "said"}, nil) }, `the handler of "said" is nil`},
		{testkit.Here(), func() { consumer.JSONBy("type", newTalker, consumer.Case("", (*talker).say)) }, "the name is empty"},
		{testkit.Here(), func() { consumer.New(newTalker, consumer.Case("say", (*talker).say)) }, "consumer.New"},
		{testkit.Here(), func() { consumer.New(newTalker, consumer.OnDecodeError(ignore)) }, "consumer.New"},
		{testkit.Here(), func() {
			consumer.Func(func(context.Context, *consumer.Stream) error { return nil },
				consumer.OnDecodeError(func(*consumer.Stream, context.Context, *consumer.Conn, consumer.Message, error) error { return nil }))
		}, "consumer.Func"},
		{testkit.Here(), func() {
			consumer.JSON(newJSONOnly, consumer.Case("x", func(*jsonOnly, context.Context, *consumer.Conn, int) error { return nil }))
		}, "use consumer.JSONBy"},
		{testkit.Here(), func() {
			consumer.JSONBy("type", newTalker, consumer.Case("say", (*talker).say), consumer.Case("say", (*talker).move))
		}, `"say" has two handlers`},
		{testkit.Here(), func() {
			consumer.JSONBy("type", newTalker, slices.Repeat([]consumer.Option[*talker]{consumer.OnDecodeError(ignore)}, 2)...)
		}, "two of them"},
	} {
		if got := fmt.Sprint(panicOf(row.start)); !strings.Contains(got, row.want) {
			t.Errorf("%s: panicked with %q, want %q in it", row.at, got, row.want)
		}
	}
}
