package consumertest_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// witness calls the test's function in Connect, and sends the status of Disconnect to the
// test.
type witness struct {
	consumer.Base
	connect func(ctx context.Context, c *consumer.Conn) error
	closed  chan consumer.CloseStatus
}

func (w *witness) Connect(ctx context.Context, c *consumer.Conn) error {
	if w.connect == nil {
		return nil
	}
	return w.connect(ctx, c)
}

func (w *witness) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return obey(ctx, c, m)
}

func (w *witness) Disconnect(_ context.Context, _ *consumer.Conn, s consumer.CloseStatus) {
	w.closed <- s
}

func newWitness() *witness { return &witness{closed: make(chan consumer.CloseStatus, 2)} }

func (w *witness) app() protocol.Application {
	return consumer.New(func(*consumer.Scope) *witness { return w })
}

type key struct{}

func TestOptionsDescribeTheHandshake(t *testing.T) {
	t.Parallel()
	var value, testsValue any
	var chosen protocol.AcceptOptions
	w := newWitness()
	w.connect = func(ctx context.Context, c *consumer.Conn) error {
		value = ctx.Value(key{})
		return c.Accept(&chosen)
	}
	app := consumer.New(func(s *consumer.Scope) *witness {
		chosen.Subprotocol = s.Subprotocols()[1]
		if s.Path() != "/ws/1/" || s.Query().Get("uid") != "7" || s.Type() != "websocket" || s.Host() != "example.com" {
			t.Errorf("the scope is %+v", s)
		}
		if got := s.Header()["Cookie"]; !slices.Equal(got, []string{"a=b"}) {
			t.Errorf("the cookies are %q", got)
		}
		if got := s.Request().Header.Get("Sec-Websocket-Protocol"); got != "v1, v2" {
			t.Errorf("the subprotocols are %q", got)
		}
		return w
	})
	header := http.Header{"cookie": {"a=b"}}
	o := &consumertest.Options{
		Header:       header,
		Subprotocols: []string{"v1", "v2"},
		Context:      context.WithValue(t.Context(), key{}, "mine"),
	}
	c := consumertest.Connect(t, app, "/ws/1/?uid=7", o)
	if value != "mine" || c.Subprotocol() != "v2" {
		t.Errorf("the context's value is %v and the subprotocol %q, want mine and v2", value, c.Subprotocol())
	}
	header.Set("Cookie", "changed")

	w.connect = func(ctx context.Context, _ *consumer.Conn) error { testsValue = ctx.Value(key{}); return nil }
	plain := consumertest.Connect(t, w.app(), "/", nil)
	if testsValue != nil || plain.Subprotocol() != "" {
		t.Errorf("without options the value is %v and the subprotocol %q", testsValue, plain.Subprotocol())
	}
}

func TestSubprotocolOfTheServer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at              testkit.Line
		spoken, offered []string
		chosen, want    string // chosen by the consumer
	}{
		{testkit.Here(), []string{"v2", "v1"}, []string{"v1", "v2"}, "", "v2"},
		{testkit.Here(), []string{"v3", "v1"}, []string{"v1", "v2"}, "", "v1"},
		{testkit.Here(), []string{"v3"}, []string{"v1"}, "", ""},
		{testkit.Here(), []string{"v1"}, nil, "", ""},
		{testkit.Here(), nil, []string{"v1"}, "", ""},
		{testkit.Here(), []string{"v2"}, []string{"v1", "v2"}, "v1", "v1"},
	} {
		w := newWitness()
		w.connect = func(_ context.Context, c *consumer.Conn) error {
			return c.Accept(&protocol.AcceptOptions{Subprotocol: row.chosen})
		}
		c := consumertest.Connect(t, w.app(), "/", &consumertest.Options{Subprotocols: row.offered, Spoken: row.spoken})
		if got := c.Subprotocol(); got != row.want {
			t.Errorf("%s: the subprotocol is %q, want %q", row.at, got, row.want)
		}
	}
}

func TestDisconnectStatus(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		name  string
		close func(c *consumertest.Client)
		want  protocol.CloseStatus
	}{
		{testkit.Here(), "Close", func(c *consumertest.Client) { c.Close(4000, "bye") }, protocol.CloseStatus{Code: 4000, Reason: "bye", Remote: true}},
		{testkit.Here(), "Close twice", func(c *consumertest.Client) { c.Close(4000, ""); c.Close(4001, "") }, protocol.CloseStatus{Code: 4000, Remote: true}},
		{testkit.Here(), "Vanish", (*consumertest.Client).Vanish, protocol.CloseStatus{Code: protocol.CloseAbnormal}},
		{testkit.Here(), "end of the test", func(*consumertest.Client) {}, protocol.CloseStatus{Code: protocol.CloseGoingAway, Remote: true}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWitness()
			failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) {
				c := consumertest.Connect(tb, w.app(), "/", nil)
				c.SendText("text: before the close")
				c.WantText("before the close") // wait: the close could overtake the answer
				row.close(c)
			})
			if got := <-w.closed; got != row.want || failures != "" {
				t.Errorf("%s: Disconnect received %+v, want %+v (%s)", row.at, got, row.want, failures)
			}
		})
	}
}

func TestSendingDoesNotWaitForABlockedCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			<-free
			return c.Send(ctx, m)
		})
		c := consumertest.Connect(t, app, "/", &consumertest.Options{Limits: protocol.Limits{ReadAhead: 200}})
		b := []byte("1")
		c.Send(protocol.Message{Data: b})
		b[0] = 'X' // the client must have copied it
		for _, s := range []string{"2", "3", "4", "5", "6", "7", "8"} {
			c.SendText(s)
		}
		c.SendBinary([]byte("9"))
		c.WantNothing()
		close(free)
		for _, want := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
			c.WantText(want)
		}
		if m := c.Message(); m.Kind != protocol.KindBinary || m.Text() != "9" {
			t.Errorf("got the %v message %q", m.Kind, m.Data)
		}
		if got := c.Stats(); got.Failures != 0 || got.MessagesUnread != 0 {
			t.Errorf("counted %+v", got)
		}
	})
}

// A blocked callback does not delay a close, as with a real transport: the callback's ctx
// is done when the connection closes.
func TestACloseReachesABlockedCallback(t *testing.T) {
	t.Parallel()
	for name, disconnect := range map[string]func(c *consumertest.Client){
		"Close":  func(c *consumertest.Client) { c.Close(protocol.CloseNormal, "") },
		"Vanish": (*consumertest.Client).Vanish,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWitness()
				failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) {
					c := consumertest.Connect(tb, w.app(), "/", nil)
					c.SendText("block")
					c.SendText("text: behind it")
					disconnect(c)
					c.WantOver()
				})
				if failures != "" {
					t.Error(failures)
				}
			})
		})
	}
}

func TestLogsGoToTheTest(t *testing.T) {
	t.Parallel()
	failures, log := testkit.Try(t.Context(), func(tb *testkit.Fake) {
		c := consumertest.Connect(tb, consumer.ReceiveFunc(obey), "/", nil)
		c.SendText("fail: fail")
		c.WantClose(protocol.CloseInternalError)
		c.WantOver()
		if got := c.Stats(); got.Failures != 1 || got.Accepted != 1 {
			t.Errorf("counted %+v", got)
		}
	})
	if failures != "" || !strings.Contains(log, "told to fail") {
		t.Errorf("failed with %q, and logged %q; want the consumer's error in it", failures, log)
	}
}

func TestTimeIsFakeInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := consumertest.Connect(t, consumer.ReceiveFunc(obey), "/", nil)
		<-time.After(24 * time.Hour) // silence does not close the connection
		c.SendText("text: good morning")
		c.WantText("good morning")
	})
}

func TestReminder(t *testing.T) {
	t.Parallel()
	testReminder(t)
}
