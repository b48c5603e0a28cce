package layers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// call is a call of a layer that its driver takes part in.
type call struct {
	at   testkit.Line
	name string
	do   func(ctx context.Context, l *layers.Layer) error
}

func driverCalls() []call {
	e := func() *protocol.Event { return noted().New(note{"x", 1}) }
	return []call{
		{testkit.Here(), "GroupSend", func(ctx context.Context, l *layers.Layer) error { return l.GroupSend(ctx, "g", e()) }},
		{testkit.Here(), "Broadcast", func(ctx context.Context, l *layers.Layer) error { return l.Broadcast(ctx, "g", protocol.Text("x")) }},
		{testkit.Here(), "Send to a consumer", func(ctx context.Context, l *layers.Layer) error {
			return l.Send(ctx, driver.NewChannel("ANOTHER"), e())
		}},
		{testkit.Here(), "Send to a named channel", func(ctx context.Context, l *layers.Layer) error { return l.Send(ctx, "jobs", e()) }},
		{testkit.Here(), "Record", func(ctx context.Context, l *layers.Layer) error {
			_, err := l.Record(ctx, "g", e(), layers.Retention{})
			return err
		}},
		{testkit.Here(), "History", func(ctx context.Context, l *layers.Layer) error {
			_, err := l.History(ctx, "g", layers.Range{})
			return err
		}},
		{testkit.Here(), "Enter", func(ctx context.Context, l *layers.Layer) error {
			return l.Enter(ctx, "g", layers.Presence{ID: "1", Key: "ann"})
		}},
		{testkit.Here(), "Exit", func(ctx context.Context, l *layers.Layer) error { return l.Exit(ctx, "g", "1") }},
		{testkit.Here(), "Present", func(ctx context.Context, l *layers.Layer) error {
			_, err := l.Present(ctx, "g")
			return err
		}},
		{testkit.Here(), "CountPresent", func(ctx context.Context, l *layers.Layer) error {
			_, err := l.CountPresent(ctx, "g")
			return err
		}},
	}
}

// TestCallsOfADriverAreBounded: a back end that does not answer is down for the caller.
func TestCallsOfADriverAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range driverCalls() {
		for _, row := range []struct {
			name string
			ctx  func(ctx context.Context) (context.Context, context.CancelFunc)
			took time.Duration
			down bool
		}{
			{"ctx without a deadline", context.WithCancel, driver.CallTimeout, true},
			{"ctx with a later one", func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Minute)
			}, driver.CallTimeout, true},
			{"ctx with an earlier one", func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			}, time.Second, false},
		} {
			t.Run(c.name+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := layertest.NewBroker(nil)
					l, m := open(t, b.Node()), &member{}
					join(t, l, "g", m)
					b.Slow(time.Hour)
					start := time.Now()
					early := make(chan int, 1)
					time.AfterFunc(time.Nanosecond, func() { notes, messages := m.got(); early <- notes + messages })
					ctx, cancel := row.ctx(t.Context())
					defer cancel()
					err := c.do(ctx, l)
					if took := time.Since(start); took != row.took || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, layers.ErrDown) != row.down {
						t.Errorf("%s: %v after %v, want after %v; ErrDown: %t", c.at, err, took, row.took, row.down)
					}
					if want := c.name == "GroupSend" || c.name == "Broadcast"; want != (<-early == 1) {
						t.Errorf("%s: the member here got it before the driver answered: %t, want %t", c.at, !want, want)
					}
					b.Slow(0)
					if err := c.do(t.Context(), l); err != nil && !errors.Is(err, layers.ErrNoConsumer) {
						t.Errorf("%s: when the back end answers: %v", c.at, err)
					}
				})
			})
		}
	}
}

// TestSubscribeIsBounded: a Join does not wait for ever, and a later one succeeds.
func TestSubscribeIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		l, other, m := open(t, b.Node()), open(t, b.Node()), &member{}
		b.Slow(time.Hour)
		start := time.Now()
		err := l.Join(context.Background(), "g", m)
		if took := time.Since(start); took != driver.CallTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Join returned %v after %v, want DeadlineExceeded after %v", err, took, driver.CallTimeout)
		}
		b.Slow(0)
		if n, err := l.GroupSendCount(t.Context(), "g", noted().New(note{"x", 1}), nil); n != 0 || err != nil {
			t.Errorf("%d members got an event (%v), want none: the Join has failed", n, err)
		}
		join(t, l, "g", m)
		send(t, other, "x", 2)
		synctest.Wait()
		if notes, _ := m.got(); notes != 1 {
			t.Errorf("the member got %d events of another node, want 1", notes)
		}
	})
}

// TestASlowBackEndDelaysOneCallback: the callback that sends. Its connection's group has the
// message at once, and other connections are served.
func TestASlowBackEndDelaysOneCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := layertest.NewBroker(nil)
		l := open(t, b.Node())
		app := consumer.New(func(*consumer.Scope) *relay { return &relay{} }, consumer.Groups[*relay]("g"))
		ann := consumertest.Connect(t, layers.Middleware(l)(app), "/", nil)
		bob := consumertest.Connect(t, layers.Middleware(l)(app), "/", nil)
		b.Slow(time.Hour)
		start := time.Now()
		ann.SendText("all: hello")
		for _, c := range []*consumertest.Client{ann, bob} {
			if got := c.Message().Text(); got != "all: hello" || time.Since(start) != 0 {
				t.Errorf("a member got %q after %v, want the message at once", got, time.Since(start))
			}
		}
		bob.SendText("me: hi")
		if got := bob.Message().Text(); got != "me: hi" || time.Since(start) != 0 {
			t.Errorf("another connection got %q after %v, want its answer at once", got, time.Since(start))
		}
		<-time.After(driver.CallTimeout)
		if got := ann.Message().Text(); got != "down" || time.Since(start) != driver.CallTimeout {
			t.Errorf("the sender got %q after %v, want that the back end is down after %v", got, time.Since(start), driver.CallTimeout)
		}
		b.Slow(0)
		for _, c := range []*consumertest.Client{ann, bob} {
			c.Close(protocol.CloseNormal, "")
			c.WantOver()
		}
	})
}

// relay sends messages that begin with "all" to its group, and others back.
type relay struct{ consumer.Base }

func (*relay) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	if text := m.Text(); text[:3] != "all" {
		return c.SendText(ctx, text)
	}
	if err := c.Broadcast(ctx, "g", m); errors.Is(err, layers.ErrDown) {
		return c.SendText(ctx, "down")
	}
	return nil
}
