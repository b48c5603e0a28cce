package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// waitingSink is a transport that counts the calls of WillWait.
type waitingSink struct {
	sink
	waits atomic.Int32
}

func (s *waitingSink) WillWait() { s.waits.Add(1) }

// TestWillWait_Layers checks that the transport is told before a callback waits for the
// driver of a layer, and that a layer within the process never tells it.
func TestWillWait_Layers(t *testing.T) {
	t.Parallel()
	type call func(ctx context.Context, c *consumer.Conn) error
	said := consumer.EventType[struct{}]{Name: "said"}.New(struct{}{})
	text := protocol.Text("x")
	for _, row := range []struct {
		at   testkit.Line
		call call
		want int32
	}{
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, "g") }, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, "joined") }, 0},
		{testkit.Here(), func(_ context.Context, c *consumer.Conn) error { c.Leave("joined"); return nil }, 0},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.GroupSend(ctx, "g", said) }, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.GroupSendOthers(ctx, "g", said) }, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.Broadcast(ctx, "g", text) }, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.BroadcastOthers(ctx, "g", text) }, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.Layer().Send(ctx, "jobs", said) }, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error {
			return c.Layer().Send(ctx, "specific.other!x", said)
		}, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.Layer().Send(ctx, c.Channel(), said) }, 0},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error {
			_, err := c.Record(ctx, "g", said, consumer.Retention{})
			return err
		}, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error {
			_, err := c.JoinFrom(ctx, "g", consumer.Range{})
			return err
		}, 2}, // it joins and reads
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error {
			_, err := c.Layer().History(ctx, "g", consumer.Range{})
			return err
		}, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.Enter(ctx, "g", "ann", nil) }, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.Exit(ctx, "g") }, 0}, // it is not present
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error {
			if err := c.Enter(ctx, "g", "ann", nil); err != nil {
				return err
			}
			return c.Exit(ctx, "g")
		}, 2},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { _, err := c.Present(ctx, "g"); return err }, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error {
			_, err := c.Layer().CountPresent(ctx, "g")
			return err
		}, 1},
		{testkit.Here(), func(ctx context.Context, c *consumer.Conn) error { return c.Send(ctx, text) }, 0},
		{testkit.Here(), func(_ context.Context, c *consumer.Conn) error {
			return c.GroupSend(context.Background(), "g", said) // not the callback's ctx
		}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := layertest.NewBroker(nil)
			defer b.Close()
			l, err := layers.Open(t.Context(), b.Node())
			if err != nil {
				t.Fatal(err)
			}
			if got := waitsOf(t, l, row.call); got != row.want {
				t.Errorf("%s: told %d times, want %d", row.at, got, row.want)
			}
			if err := l.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if got := waitsOf(t, new(layers.Layer), row.call); got != 0 {
				t.Errorf("%s: told %d times by a layer within the process", row.at, got)
			}
		})
	}
}

// waitsOf returns how often a transport is told that a callback waits which makes the call.
func waitsOf(t *testing.T, l *layers.Layer, call func(context.Context, *consumer.Conn) error) int32 {
	t.Helper()
	tr := &waitingSink{}
	var told int32
	s := &stub{
		connect: func(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, "joined") },
		receive: func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
			before := tr.waits.Load()
			err := call(ctx, c)
			told = tr.waits.Load() - before
			return err
		},
	}
	p, ok := dial(t, layers.Middleware(l)(s.app()), tr)
	if !ok {
		t.Fatal("refused")
	}
	p.say("x")
	p.hangUp(protocol.CloseGoingAway)
	<-p.over
	if n := p.counters.Stats().Failures; n != 0 {
		t.Errorf("%d callbacks have failed: %s", n, p.String())
	}
	return told
}

// workingSink is a waitingSink that counts the calls of WillWork, too.
type workingSink struct {
	waitingSink

	works atomic.Int32
}

func (s *workingSink) WillWork() { s.works.Add(1) }

// nobody is a member that counts nothing.
type nobody struct{ _ byte }

func (*nobody) Deliver(*protocol.Event) bool  { return false }
func (*nobody) Offer(*protocol.Prepared) bool { return false }

// TestWillWork checks that the transport is told before a callback sends to a group of many
// thousands, and only then.
func TestWillWork(t *testing.T) {
	t.Parallel()
	l, ctx := new(layers.Layer), context.Background()
	for i := range 10_000 {
		m := &nobody{}
		if err := l.Join(ctx, "large", m); err != nil {
			t.Fatal(err)
		}
		if i < 5_000 {
			if err := l.Join(ctx, "small", m); err != nil {
				t.Fatal(err)
			}
		}
	}
	said := consumer.EventType[struct{}]{Name: "said"}.New(struct{}{})
	for _, row := range []struct {
		at    testkit.Line
		group string
		want  int32
	}{
		{testkit.Here(), "large", 2},
		{testkit.Here(), "small", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			tr := &workingSink{}
			s := &stub{receive: func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
				return errors.Join(c.GroupSend(ctx, row.group, said), c.Broadcast(ctx, row.group, protocol.Text("x")))
			}}
			p, ok := dial(t, layers.Middleware(l)(s.app()), tr)
			if !ok {
				t.Fatal("refused")
			}
			p.say("x")
			p.hangUp(protocol.CloseGoingAway)
			<-p.over
			if got, waits := tr.works.Load(), tr.waits.Load(); got != row.want || waits != 0 {
				t.Errorf("%s: told %d times that it works and %d times that it waits, want %d and 0", row.at, got, waits, row.want)
			}
		})
	}
}

// TestWillWait_Func checks that the transport is told that a message waits for the loop of a
// function, unless the function reads no messages.
func TestWillWait_Func(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := &waitingSink{}
		p, ok := dial(t, consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			n := 0
			for _, err := range s.Messages(ctx) {
				n++
				if err != nil || n == 2 {
					s.Discard()
					break
				}
			}
			<-ctx.Done()
			return nil
		}), tr)
		if !ok {
			t.Fatal("refused")
		}
		for n, want := range []int32{1, 2, 2} {
			p.say("x")
			if got := tr.waits.Load(); got != want {
				t.Errorf("after message %d: told %d times, want %d", n, got, want)
			}
		}
		p.hangUp(protocol.CloseGoingAway)
		<-p.over
	})
}
