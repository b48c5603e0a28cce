package consumertest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// Each method fails, with a text that says why.
func TestFailureTexts(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		name string
		send string // to the consumer
		want func(c *consumertest.Client)
		err  string
	}{
		{testkit.Here(), "Message, closed", "close: why", func(c *consumertest.Client) { c.Message() }, `the server closed with 4001 "why" (<nil>) instead of sending a message`},
		{testkit.Here(), "Message, failed", "fail: fail", func(c *consumertest.Client) { c.Message() }, `the server closed with 1011 internal error "" (told to fail) instead`},
		{testkit.Here(), "Message, nothing", "", func(c *consumertest.Client) { c.Message() }, `nothing came within 5s; is a callback blocked, or has the connection not joined the group?`},
		{testkit.Here(), "WantText, another", "text: hello", func(c *consumertest.Client) { c.WantText("hallo") }, `got the text message "hello", want the text "hallo"`},
		{testkit.Here(), "WantText, binary", "binary: hello", func(c *consumertest.Client) { c.WantText("hello") }, `got the binary message "hello", want the text "hello"`},
		{testkit.Here(), "WantText, closed", "close: why", func(c *consumertest.Client) { c.WantText("hello") }, `closed with 4001 "why"`},
		{testkit.Here(), "WantText, nothing", "", func(c *consumertest.Client) { c.WantText("hello") }, `nothing came within 5s`},
		{testkit.Here(), "WantJSON, another", `text: {"a": 1}`, func(c *consumertest.Client) { c.WantJSON(map[string]int{"a": 2}) }, `got {"a": 1}, want {"a":2}`},
		{testkit.Here(), "WantJSON, no JSON", `text: {`, func(c *consumertest.Client) { c.WantJSON(1) }, `got the text message "{", want JSON in text`},
		{testkit.Here(), "WantJSON, binary", `binary: 1`, func(c *consumertest.Client) { c.WantJSON(1) }, `got the binary message "1", want JSON in text`},
		{testkit.Here(), "WantJSON, no value", `text: 1`, func(c *consumertest.Client) { c.WantJSON(make(chan int)) }, `WantJSON: json: unsupported type: chan int`},
		{testkit.Here(), "WantJSON, closed", "close: why", func(c *consumertest.Client) { c.WantJSON(1) }, `closed with 4001 "why"`},
		{testkit.Here(), "DecodeJSON, no JSON", `text: {`, func(c *consumertest.Client) { c.DecodeJSON(new(int)) }, `decoding { into a *int: unexpected end of JSON input`},
		{testkit.Here(), "DecodeJSON, another type", `text: "a"`, func(c *consumertest.Client) { c.DecodeJSON(new(int)) }, `decoding "a" into a *int: json: cannot unmarshal string`},
		{testkit.Here(), "DecodeJSON, binary", `binary: 1`, func(c *consumertest.Client) { c.DecodeJSON(new(int)) }, `got the binary message "1", want JSON in text`},
		{testkit.Here(), "DecodeJSON, closed", "close: why", func(c *consumertest.Client) { c.DecodeJSON(new(int)) }, `closed with 4001 "why"`},
		{testkit.Here(), "SkipTo, closed", "close: why", func(c *consumertest.Client) { c.SkipTo(never) }, `closed with 4001 "why" (<nil>) after 0 messages that were skipped`},
		{testkit.Here(), "SkipTo, nothing more", "text: hello", func(c *consumertest.Client) { c.SkipTo(never) }, `nothing came within 5s`},
		{testkit.Here(), "SendJSON, no value", "", func(c *consumertest.Client) { c.SendJSON(make(chan int)) }, `SendJSON: json: unsupported type: chan int`},
		{testkit.Here(), "WantClose, a message", "text: hello", func(c *consumertest.Client) { c.WantClose(1000) }, `got the text message "hello", want a close with 1000 normal closure`},
		{testkit.Here(), "WantClose, another", "close: why", func(c *consumertest.Client) { c.WantClose(1000) }, `closed with 4001 "why" (<nil>), want 1000 normal closure`},
		{testkit.Here(), "WantClose, nothing", "", func(c *consumertest.Client) { c.WantClose(1000) }, `nothing came within 5s`},
		{testkit.Here(), "WantNothing, a message", "text: hello", (*consumertest.Client).WantNothing, `got the text message "hello", want nothing`},
		{testkit.Here(), "WantNothing, closed", "close: why", (*consumertest.Client).WantNothing, `the server closed with 4001 "why" (<nil>), want nothing`},
		{testkit.Here(), "WantOver, open", "", (*consumertest.Client).WantOver, `the connection is not over after 5s; is a callback blocked?`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				reached := false
				failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) {
					c := consumertest.Connect(tb, consumer.ReceiveFunc(obey), "/", nil)
					c.SendText(row.send)
					row.want(c)
					reached = true
				})
				if !strings.HasPrefix(failures, "consumertest: ") || !strings.Contains(failures, row.err) || strings.Contains(failures, "\n") {
					t.Errorf("%s: failed with %q, want %q", row.at, failures, row.err)
				}
				if reached {
					t.Errorf("%s: the method returned", row.at)
				}
			})
		})
	}
}

func never(protocol.Message) bool { return false }

func TestDecodeJSONAndSkipTo(t *testing.T) {
	t.Parallel()
	c := consumertest.Connect(t, consumer.ReceiveFunc(obey), "/", nil)
	c.SendText(`text: {"n": 7, "s": "seven"}`)
	var got struct {
		N int    `json:"n"`
		S string `json:"s"`
	}
	c.DecodeJSON(&got)
	if got.N != 7 || got.S != "seven" {
		t.Errorf("decoded %+v", got)
	}
	for _, s := range []string{"text: a", "binary: b", "text: b", "text: c"} {
		c.SendText(s)
	}
	m := c.SkipTo(func(m protocol.Message) bool { return m.Kind == protocol.KindText && m.Text() == "b" })
	if m.Text() != "b" || m.Kind != protocol.KindText {
		t.Errorf("SkipTo returned the %v message %q, want the text b", m.Kind, m.Data)
	}
	c.WantText("c") // the message after it is still there
}

func TestHeader(t *testing.T) {
	t.Parallel()
	app := consumer.Func(func(_ context.Context, s *consumer.Stream) error {
		return s.Accept(&protocol.AcceptOptions{Header: http.Header{"Set-Cookie": {"seen=1"}}})
	})
	c := consumertest.Connect(t, app, "/", nil)
	h := c.Header()
	if got := h.Get("Set-Cookie"); got != "seen=1" {
		t.Errorf("Set-Cookie is %q, want seen=1", got)
	}
	h.Set("Set-Cookie", "changed")
	if got := c.Header().Get("Set-Cookie"); got != "seen=1" {
		t.Errorf("changing what Header returned changed the answer: %q", got)
	}
	if got := consumertest.Connect(t, consumer.ReceiveFunc(obey), "/", nil).Header(); len(got) > 0 {
		t.Errorf("an answer without headers has %v", got)
	}
}

func TestConnectAndRefusedFail(t *testing.T) {
	t.Parallel()
	no := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return nil, protocol.NewRejectError(402, "pay first") })
	failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) { consumertest.Connect(tb, no, "/ws/1/", nil) })
	if want := "consumertest: connecting to /ws/1/: wye: connection refused with 402: pay first"; failures != want {
		t.Errorf("Connect failed with %q, want %q", failures, want)
	}
	failures, _ = testkit.Try(t.Context(), func(tb *testkit.Fake) { consumertest.Refused(tb, consumer.ReceiveFunc(obey), "/ws/1/", nil) })
	if want := "consumertest: connecting to /ws/1/: accepted, want it refused"; failures != want {
		t.Errorf("Refused failed with %q, want %q", failures, want)
	}
}

func TestWantNothingOutsideABubble(t *testing.T) {
	t.Parallel()
	failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) {
		consumertest.Connect(tb, consumer.ReceiveFunc(obey), "/", nil).WantNothing()
	})
	if want := "consumertest: WantNothing works only inside synctest.Test"; !strings.HasPrefix(failures, want) {
		t.Errorf("failed with %q, want %q", failures, want)
	}
}

func TestMethodsOutsideABubble(t *testing.T) {
	t.Parallel()
	c := consumertest.Connect(t, consumer.ReceiveFunc(obey), "/", nil)
	c.SendText("text: hello")
	c.WantText("hello")
	c.SendText("prepared: for many")
	c.WantText("for many")
	c.SendText(`text: {"b": [1, 2], "a": null}`)
	c.WantJSON(map[string]any{"a": nil, "b": []int{1, 2}})
	c.SendText("close: why")
	if got := c.WantClose(4001); got != (protocol.CloseStatus{Code: 4001, Reason: "why"}) {
		t.Errorf("WantClose returned %+v", got)
	}
	c.WantClose(4001) // the close is still there
	c.WantOver()
}

func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
			<-time.After(time.Hour)
			return c.SendText(ctx, "at last")
		})
		c := consumertest.Connect(t, slow, "/", &consumertest.Options{Patience: 2 * time.Hour})
		c.SendText("?")
		c.WantText("at last")
		failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) {
			c := consumertest.Connect(tb, slow, "/", &consumertest.Options{Patience: time.Second})
			c.SendText("?")
			c.Message()
		}, func() { <-time.After(time.Hour) })
		if !strings.Contains(failures, "nothing came within 1s") {
			t.Errorf("failed with %q, want the patience in it", failures)
		}
	})
}

func TestCleanupReportsAStuckDisconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		start := time.Now()
		failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) {
			consumertest.Connect(tb, consumer.New(func(*consumer.Scope) *stuck { return &stuck{free: free} }), "/", nil)
		})
		took := time.Since(start)
		if want := fmt.Sprintf("consumertest: a callback or Disconnect still runs %v after the end of the connection", took); failures != want {
			t.Errorf("failed with %q, want %q", failures, want)
		}
		if took < 20*time.Second || took > time.Minute {
			t.Errorf("reported after %v, want more than the ten seconds of Disconnect", took)
		}
		close(free)
	})
}

type stuck struct {
	consumer.Base
	free chan struct{}
}

func (s *stuck) Disconnect(context.Context, *consumer.Conn, consumer.CloseStatus) { <-s.free }
