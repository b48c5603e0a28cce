package consumer_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// keep returns an application that sends each of its connections to the test.
func keep() (app protocol.Application, conns <-chan *consumer.Conn) {
	ch := make(chan *consumer.Conn, 10)
	return (&stub{connect: func(_ context.Context, c *consumer.Conn) error { ch <- c; return nil }}).app(), ch
}

func TestConnAfterTheClose(t *testing.T) {
	t.Parallel()
	app, conns := keep()
	app, l := onLayer(app)
	ann := consumertest.Connect(t, app, "/", nil)
	c := testkit.Await(t, conns, "the connection")
	if c.Layer() != l || c.Context().Err() != nil {
		t.Fatalf("the layer is %p, want %p; the error of the context is %v", c.Layer(), l, c.Context().Err())
	}
	ann.Close(4005, "bye")
	ann.WantOver()

	ctx := t.Context()
	rows := []struct {
		at   testkit.Line
		name string
		err  error
	}{
		{testkit.Here(), "Send", c.Send(ctx, protocol.Text("x"))},
		{testkit.Here(), "SendText", c.SendText(ctx, "x")},
		{testkit.Here(), "SendJSON", c.SendJSON(ctx, 1)},
		{testkit.Here(), "Join", c.Join(ctx, "news")},
		{testkit.Here(), "Cause", context.Cause(c.Context())},
	}
	for _, row := range rows {
		if !errors.Is(row.err, protocol.ErrClosed) || !errors.Is(row.err, net.ErrClosed) {
			t.Errorf("%s: %s: %v, want an error that matches ErrClosed", row.at, row.name, row.err)
		}
	}
	var ce *protocol.CloseError
	if !errors.As(context.Cause(c.Context()), &ce) || ce.Code != 4005 || ce.Reason != "bye" || !ce.Remote {
		t.Errorf("the cause is %v, want the peer's close", context.Cause(c.Context()))
	}
	if err := c.Broadcast(ctx, "news", protocol.Text("x")); err != nil {
		t.Errorf("Broadcast after the close: %v, want no error", err)
	}
	c.Leave("news")
	if got := c.Groups(); len(got) > 0 {
		t.Errorf("in %v after the close, want no group", got)
	}
}

func TestSendJSONErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, conns := keep()
		ann := consumertest.Connect(t, app, "/", nil)
		c := testkit.Await(t, conns, "the connection")
		if err := c.SendJSON(t.Context(), make(chan int)); err == nil || !strings.Contains(err.Error(), "SendJSON") {
			t.Errorf("SendJSON of a channel: %v", err)
		}
		ann.WantNothing()
		if err := c.SendJSON(t.Context(), "<&>"); err != nil {
			t.Error(err)
		}
		ann.WantText(`"\u003c\u0026\u003e"`)
	})
}

type (
	requestKey struct{}
	scopeKey   struct{}
)

// withValue is middleware that adds a value to the scope.
func withValue(next protocol.Application) protocol.Application {
	return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		return next.Open(s.WithValue(scopeKey{}, "scope's"))
	})
}

func TestValuesOfMiddlewareAreInEveryContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		see := func(where string, ctx context.Context) {
			request, _ := ctx.Value(requestKey{}).(string)
			scope, _ := ctx.Value(scopeKey{}).(string)
			seen = append(seen, where+": "+scope+" "+request)
		}
		poke := protocol.EventType[struct{}]{Name: "poke"}
		s := &stub{
			connect: func(ctx context.Context, c *consumer.Conn) error {
				see("Connect", ctx)
				see("Conn", c.Context())
				return c.Join(ctx, "all")
			},
			receive: func(ctx context.Context, _ *consumer.Conn, m consumer.Message) error {
				if m.Text() == "slow" {
					<-ctx.Done()
				}
				see(m.Text(), ctx)
				return nil
			},
			disconnect: func(ctx context.Context, _ *consumer.Conn, _ consumer.CloseStatus) { see("Disconnect", ctx) },
		}
		app, l := onLayer(withValue(s.app(consumer.On(poke, func(_ *stub, ctx context.Context, _ *consumer.Conn, _ struct{}) error {
			see("Event", ctx)
			return nil
		}))))
		p := connected(t, withRequestValue(app))
		p.say("message")
		if err := l.GroupSend(t.Context(), "all", poke.New(struct{}{})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.say("slow", "late")
		p.hangUp(protocol.CloseNormal)
		testkit.Await(t, p.over, "the end")
		want := "Connect: scope's request's|Conn: scope's |message: scope's |Event: scope's |slow: scope's |late: scope's |Disconnect: scope's "
		if got := strings.Join(seen, "|"); got != want {
			t.Errorf("the callbacks saw\n%s, want\n%s", got, want)
		}
	})
}

// withRequestValue adds a value to the context of Connect, as a request would.
func withRequestValue(next protocol.Application) protocol.Application {
	return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		h, err := next.Open(s)
		return requestValue{h}, err
	})
}

type requestValue struct{ protocol.Handler }

func (h requestValue) Connect(ctx context.Context, c *protocol.Conn) error {
	return h.Handler.Connect(context.WithValue(ctx, requestKey{}, "request's"), c)
}

func TestDisconnectHasItsOwnDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		var before error
		app := (&stub{disconnect: func(ctx context.Context, c *consumer.Conn, _ consumer.CloseStatus) {
			before = ctx.Err()
			start := time.Now()
			<-ctx.Done()
			took = time.Since(start)
			if c.Context().Err() == nil {
				t.Error("the connection's context is not done")
			}
		}}).app()
		ann := consumertest.Connect(t, app, "/", &consumertest.Options{Patience: time.Minute})
		ann.Vanish()
		ann.WantOver()
		if before != nil || took != 10*time.Second {
			t.Errorf("the error of ctx was %v at first, and ctx was done after %v; want nil and 10 s", before, took)
		}
	})
}

func TestDefaultLayer(t *testing.T) {
	t.Parallel()
	app, conns := keep()
	consumertest.Connect(t, app, "/", nil)
	if c := testkit.Await(t, conns, "the connection"); c.Layer() != layers.Default() {
		t.Error("a consumer without layers.Middleware does not use layers.Default")
	}
}
