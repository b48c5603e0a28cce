package consumer_test

import (
	"context"
	"slices"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// adder answers numbers with their sum, and keeps them.
type adder struct {
	consumer.Base
	received [][]int
}

func (a *adder) ReceiveJSON(ctx context.Context, c *consumer.Conn, in []int) error {
	a.received = append(a.received, in)
	sum := 0
	for _, n := range in {
		sum += n
	}
	return c.SendJSON(ctx, map[string]int{"sum": sum})
}

func TestJSONDecodesMessages(t *testing.T) {
	t.Parallel()
	a := &adder{}
	ann := consumertest.Connect(t, consumer.JSON(func(*consumer.Scope) *adder { return a }), "/", nil)
	ann.SendJSON([]int{1, 2})
	ann.WantJSON(map[string]int{"sum": 3})
	ann.SendText(" [ 7 ]\n")
	ann.WantText(`{"sum":7}`)
	ann.Close(protocol.CloseNormal, "")
	ann.WantOver()
	if len(a.received) != 2 || !slices.Equal(a.received[0], []int{1, 2}) || !slices.Equal(a.received[1], []int{7}) {
		t.Errorf("the consumer received %v, want [[1 2] [7]]", a.received)
	}
}

func TestJSONClosesOnDecodeErrors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		name string
		msg  protocol.Message
		code protocol.CloseCode
	}{
		{testkit.Here(), "binary", protocol.Binary([]byte(`[1]`)), protocol.CloseUnsupportedData},
		{testkit.Here(), "no JSON", protocol.Text(`[1`), protocol.CloseInvalidPayload},
		{testkit.Here(), "empty", protocol.Text(""), protocol.CloseInvalidPayload},
		{testkit.Here(), "another type", protocol.Text(`{"a":1}`), protocol.CloseInvalidPayload},
		{testkit.Here(), "two values", protocol.Text(`[1][2]`), protocol.CloseInvalidPayload},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a, out := &adder{}, &logged{TB: t}
			ann := consumertest.Connect(out, consumer.JSON(func(*consumer.Scope) *adder { return a }), "/", nil)
			ann.Send(row.msg)
			closed := ann.WantClose(row.code)
			if closed.Reason == "" || closed.Err != nil {
				t.Errorf("%s: closed with the reason %q and the cause %v, want a reason and no cause", row.at, closed.Reason, closed.Err)
			}
			ann.WantOver()
			if len(a.received) > 0 || out.String() != "" || ann.Stats().Failures != 0 {
				t.Errorf("%s: the consumer received %v and the log is %q, want neither", row.at, a.received, out.String())
			}
		})
	}
}

func TestJSONOptions(t *testing.T) {
	t.Parallel()
	said := protocol.EventType[map[string]int]{Name: "sum.wanted"}
	app, l := onLayer(consumer.JSON(func(*consumer.Scope) *adder { return &adder{} },
		consumer.Groups[*adder]("sums"),
		consumer.On(said, func(a *adder, ctx context.Context, c *consumer.Conn, in map[string]int) error {
			return a.ReceiveJSON(ctx, c, []int{in["a"], in["b"]})
		})))
	ann := consumertest.Connect(t, app, "/", nil)
	if err := l.GroupSend(t.Context(), "sums", said.New(map[string]int{"a": 20, "b": 22})); err != nil {
		t.Fatal(err)
	}
	ann.WantJSON(map[string]int{"sum": 42})
}
