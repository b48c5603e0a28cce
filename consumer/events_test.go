package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// line is the payload of said.
type line struct {
	From string   `json:"from"`
	Text string   `json:"text"`
	Tags []string `json:"tags,omitempty"`
}

func said() protocol.EventType[line] { return protocol.EventType[line]{Name: "chat.said"} }

// listener joins the group "all" and sends its peer the lines that are said there.
type listener struct{ stub }

func newListener(*consumer.Scope) *listener {
	return &listener{stub{connect: func(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, "all") }}}
}

func (*listener) said(ctx context.Context, c *consumer.Conn, l line) error {
	return c.SendText(ctx, l.From+": "+l.Text)
}

func TestOnHandlesEventsOfAGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conns := make(chan *consumer.Conn, 2)
		app, l := onLayer(consumer.New(func(s *consumer.Scope) *listener {
			m := newListener(s)
			m.receive = func(_ context.Context, c *consumer.Conn, _ consumer.Message) error { conns <- c; return nil }
			return m
		}, consumer.On(said(), (*listener).said)))
		ann := consumertest.Connect(t, app, "/", nil)
		bob := consumertest.Connect(t, app, "/", nil)
		ann.SendText("I am here")
		c := testkit.Await(t, conns, "ann's connection")

		rows := []struct {
			at       testkit.Line
			send     error
			ann, bob string
		}{
			{testkit.Here(), l.GroupSend(t.Context(), "all", said().New(line{From: "x", Text: "1"})), "x: 1", "x: 1"},
			{testkit.Here(), c.GroupSend(t.Context(), "all", said().New(line{From: "ann", Text: "2"})), "ann: 2", "ann: 2"},
			{testkit.Here(), c.GroupSendOthers(t.Context(), "all", said().New(line{From: "ann", Text: "3"})), "", "ann: 3"},
			{testkit.Here(), l.Send(t.Context(), c.Channel(), said().New(line{From: "x", Text: "4"})), "x: 4", ""},
			{testkit.Here(), l.GroupSend(t.Context(), "none", said().New(line{From: "x", Text: "5"})), "", ""},
		}
		for _, row := range rows {
			if row.send != nil {
				t.Errorf("%s: %v", row.at, row.send)
			}
			if row.ann != "" {
				ann.WantText(row.ann)
			}
			if row.bob != "" {
				bob.WantText(row.bob)
			}
		}
		ann.WantNothing()
		bob.WantNothing()
	})
}

// obeyed does what the line says.
func (*listener) obeyed(ctx context.Context, c *consumer.Conn, l line) error {
	switch l.Text {
	case "dropped":
		return fmt.Errorf("x: %w", protocol.ErrDropped)
	case "close":
		return protocol.NewCloseError(4007, "")
	case "error":
		return errSecret
	case "panic":
		panic(errSecret)
	}
	return c.SendText(ctx, l.Text)
}

func TestEventHandlerResults(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		text string
		code protocol.CloseCode
		log  string
	}{
		{testkit.Here(), "nil", 0, ""},
		{testkit.Here(), "dropped", 0, ""},
		{testkit.Here(), "close", 4007, ""},
		{testkit.Here(), "error", protocol.CloseInternalError, "swordfish"},
		{testkit.Here(), "panic", protocol.CloseInternalError, "events_test.go"},
	}
	for _, row := range rows {
		t.Run(row.text, func(t *testing.T) {
			t.Parallel()
			app, l := onLayer(consumer.New(newListener, consumer.On(said(), (*listener).obeyed)))
			out := &logged{TB: t}
			ann := consumertest.Connect(out, app, "/", nil)
			for _, text := range []string{row.text, "still here"} {
				if err := l.GroupSend(t.Context(), "all", said().New(line{Text: text})); err != nil {
					t.Errorf("%s: GroupSend returned %v", row.at, err)
				}
			}
			if row.code == 0 {
				if row.text == "nil" {
					ann.WantText("nil")
				}
				ann.WantText("still here")
			} else if got := ann.WantClose(row.code); got.Reason != "" {
				t.Errorf("%s: the close reason is %q, want none", row.at, got.Reason)
			}
			out.wantLog(row.at, row.log)
		})
	}
}

func TestDecision13_UndeclaredEventsAreCountedAndLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, l := onLayer(consumer.New(newListener, consumer.On(said(), (*listener).said)))
		out := &logged{TB: t}
		ann := consumertest.Connect(out, app, "/", nil)
		send := func(e *protocol.Event) {
			t.Helper()
			if err := l.GroupSend(t.Context(), "all", e); err != nil {
				t.Error(err)
			}
		}
		for range 3 {
			send(protocol.EventType[struct{}]{Name: "chat.typing"}.New(struct{}{}))
			send(protocol.EventType[struct{}]{Name: "chat_said"}.New(struct{}{}))
		}
		// A message for the peer, which has none.
		send(protocol.EventType[map[string]any]{Name: consumer.SendType.Name}.New(map[string]any{"text": 5}))
		// The declared type, with a payload that does not fit.
		send(protocol.EventType[map[string]any]{Name: said().Name}.New(map[string]any{"text": []int{1}}))
		send(said().New(line{From: "x", Text: "still here"}))
		ann.WantText("x: still here")

		got := ann.Stats()
		if got.EventsUnknown != 6 || got.EventsUndecodable != 2 || got.Failures != 0 || got.Open != 1 {
			t.Errorf("counted %+v, want 6 unknown, 2 undecodable, no failure", got)
		}
		log := out.String()
		for _, want := range []string{"chat.typing", "chat_said", `\"chat.said\"`, "websocket.send"} {
			if n := strings.Count(log, want); n != 1 {
				t.Errorf("%s is logged %d times, want once:\n%s", want, n, log)
			}
		}
	})
}

// costly is a payload that counts how often it is encoded and decoded.
type costly struct {
	list    []int
	encoded *atomic.Int32
}

var decoded atomic.Int32 //nolint:gochecknoglobals // the decoder makes the payload, and cannot pass it a counter

func (p *costly) MarshalJSON() ([]byte, error) {
	p.encoded.Add(1)
	return json.Marshal(map[string]any{"list": p.list})
}

func (p *costly) UnmarshalJSON(data []byte) error {
	decoded.Add(1)
	var m map[string][]int
	err := json.Unmarshal(data, &m)
	p.list = m["list"]
	return err
}

func TestDecision14_PayloadEncodedOnceDecodedOnceShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []*costly
		counted := protocol.EventType[*costly]{Name: "counted"}
		app, l := onLayer(consumer.New(newListener,
			consumer.On(counted, func(_ *listener, _ context.Context, _ *consumer.Conn, p *costly) error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, p)
				return nil
			})))
		const members = 10
		for range members {
			consumertest.Connect(t, app, "/", nil)
		}
		before := decoded.Load()
		sent := &costly{list: []int{1, 2, 3}, encoded: new(atomic.Int32)}
		e := counted.New(sent)
		if err := l.GroupSend(t.Context(), "all", e); err != nil {
			t.Fatal(err)
		}
		sent.list[0] = 99 // the sender may change its payload again
		if err := l.GroupSend(t.Context(), "all", e); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(got) != 2*members {
			t.Fatalf("%d events were handled, want %d", len(got), 2*members)
		}
		for i, p := range got {
			if len(p.list) != 3 || p.list[0] != 1 || &p.list[0] != &got[0].list[0] {
				t.Errorf("member %d got %v, want [1 2 3], shared by all", i, p.list)
			}
		}
		if enc, dec := sent.encoded.Load(), decoded.Load()-before; enc != 1 || dec != 1 {
			t.Errorf("encoded %d times and decoded %d times, want once each", enc, dec)
		}
	})
}

func TestDecision16_EventRunsOnTheConnectionsOwnGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sending sync.Mutex // held by the sender: a handler on the sender's goroutine would deadlock
		busy, handled := false, 0
		app, l := onLayer(consumer.New(func(s *consumer.Scope) *listener {
			m := newListener(s)
			m.receive = func(context.Context, *consumer.Conn, consumer.Message) error {
				busy = true
				<-time.After(time.Minute)
				busy = false
				return nil
			}
			return m
		}, consumer.On(said(), func(_ *listener, _ context.Context, _ *consumer.Conn, l line) error {
			sending.Lock()
			defer sending.Unlock()
			if busy {
				t.Error("the handler runs while Receive does")
			}
			if l.Text == "panic" {
				panic("must not reach the sender")
			}
			handled++
			return nil
		})))
		ann := consumertest.Connect(&logged{TB: t}, app, "/", nil)
		send := func(text string) {
			t.Helper()
			sending.Lock()
			defer sending.Unlock()
			if err := l.GroupSend(t.Context(), "all", said().New(line{Text: text})); err != nil {
				t.Error(err)
			}
		}
		send("idle")
		synctest.Wait()
		ann.SendText("be busy") // busy and handled have no lock: the race detector reports callbacks that overlap
		synctest.Wait()
		start := time.Now()
		send("busy")
		send("panic")
		if took := time.Since(start); took != 0 {
			t.Errorf("GroupSend waited %v for a busy consumer", took)
		}
		ann.WantNothing()
		<-time.After(2 * time.Minute)
		ann.WantClose(protocol.CloseInternalError)
		ann.WantOver()
		if handled != 2 {
			t.Errorf("%d events were handled, want 2", handled)
		}
	})
}

func TestDecision17_DirectMessagesBypassConsumers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		busy := func(ctx context.Context, _ *consumer.Conn, _ consumer.Message) error { <-free; return ctx.Err() }
		app, l := onLayer(consumer.New(func(s *consumer.Scope) *listener {
			m := newListener(s)
			m.receive = busy
			return m
		}))
		ann := consumertest.Connect(t, app, "/", nil)
		bob := consumertest.Connect(t, app, "/", nil)
		ann.SendText("be busy")
		synctest.Wait()
		want := []byte("news")
		if err := l.Broadcast(t.Context(), "all", protocol.Message{Data: want}); err != nil {
			t.Fatal(err)
		}
		copy(want, "XXXX") // the layer must have copied it
		if err := l.GroupSend(t.Context(), "all", protocol.SendType.New(protocol.Binary([]byte("more")))); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*consumertest.Client{ann, bob} {
			c.WantText("news")
			if m := c.Message(); m.Kind != protocol.KindBinary || m.Text() != "more" {
				t.Errorf("got the %v message %q", m.Kind, m.Data)
			}
			if got := c.Stats(); got.EventsUnknown != 0 {
				t.Errorf("counted %+v: the consumer was woken", got)
			}
		}
		close(free)
	})
}

func TestDecision17_AHandlerOfSendTypeReceivesMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, l := onLayer(consumer.New(newListener,
			consumer.On(protocol.SendType, func(_ *listener, ctx context.Context, c *consumer.Conn, m consumer.Message) error {
				if m.Text() == "secret" {
					return nil
				}
				return c.SendText(ctx, m.Kind.String()+" "+m.Text())
			})))
		ann := consumertest.Connect(t, app, "/", nil)
		plain := consumertest.Connect(t, layers.Middleware(l)(consumer.New(newListener)), "/", nil)
		for _, send := range []error{
			l.Broadcast(t.Context(), "all", protocol.Text("secret")),
			l.Broadcast(t.Context(), "all", protocol.Text("a")),
			l.GroupSend(t.Context(), "all", protocol.SendType.New(protocol.Binary([]byte("b")))),
			l.GroupSend(t.Context(), "all", protocol.EventType[map[string]string]{Name: "websocket.send"}.New(map[string]string{"text": "c"})),
		} {
			if send != nil {
				t.Error(send)
			}
		}
		ann.WantText("text a")
		ann.WantText("binary b")
		ann.WantText("text c")
		ann.WantNothing()
		for _, want := range []string{"secret", "a", "b", "c"} {
			if m := plain.Message(); m.Text() != want {
				t.Errorf("the member without a handler got %q, want %q", m.Data, want)
			}
		}
	})
}
