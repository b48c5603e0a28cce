package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

//nolint:revive // the consumer comes first, as in a method expression
func onSaid(_ *consumer.Stream, ctx context.Context, c *consumer.Conn, l line) error {
	return c.SendText(ctx, "event: "+l.Text)
}

func TestEventsBetweenIterations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inBody := false // has no lock: the race detector reports a handler that runs during the body
		app, l := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			for m, err := range s.Messages(ctx) {
				if err != nil {
					return err
				}
				inBody = true
				<-time.After(time.Minute)
				if err := s.SendText(ctx, m.Text()); err != nil {
					return err
				}
				inBody = false
			}
			return nil
		}, consumer.Groups[*consumer.Stream]("all"),
			consumer.On(said(), func(s *consumer.Stream, ctx context.Context, c *consumer.Conn, l line) error {
				if inBody {
					t.Error("an event is handled during the body of the loop")
				}
				return onSaid(s, ctx, c, l)
			})))
		ann := consumertest.Connect(t, app, "/", &consumertest.Options{Patience: time.Hour})
		synctest.Wait()
		send := func(text string) {
			t.Helper()
			if err := l.GroupSend(t.Context(), "all", said().New(line{Text: text})); err != nil {
				t.Error(err)
			}
		}
		send("before")
		ann.WantText("event: before")
		ann.SendText("first")
		synctest.Wait()
		send("meanwhile")
		ann.WantNothing()
		ann.WantText("first")
		ann.WantText("event: meanwhile")
		ann.SendText("second")
		ann.WantText("second")
	})
}

func TestEventsOutsideALoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		discard := make(chan struct{})
		app, l := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			err := s.SendText(ctx, "welcome")
			<-discard
			s.Discard()
			<-ctx.Done()
			return err
		}, consumer.Groups[*consumer.Stream]("all"), consumer.On(said(), onSaid)))
		ann := consumertest.Connect(t, app, "/", nil)
		ann.WantText("welcome")
		send := func(text string) {
			t.Helper()
			if err := l.GroupSend(t.Context(), "all", said().New(line{Text: text})); err != nil {
				t.Error(err)
			}
		}
		send("1")
		ann.WantText("event: 1")

		ann.SendText("an unread message")
		synctest.Wait()
		send("2")
		ann.WantNothing() // the unread message blocks the event behind it
		close(discard)
		ann.WantText("event: 2")
		ann.SendText("another unread message")
		synctest.Wait()
		send("3")
		ann.WantText("event: 3")
	})
}

// The groups of the option Groups are joined when Accept returns. The test is repeated,
// because several goroutines take part.
func TestGroupsAreJoinedByAccept(t *testing.T) {
	t.Parallel()
	l := new(layers.Layer)
	missing := 0
	for range 100 {
		groups := make(chan []string, 1)
		app := layers.Middleware(l)(consumer.Func(func(_ context.Context, s *consumer.Stream) error {
			err := s.Accept(nil)
			groups <- s.Groups()
			return err
		}, consumer.Groups[*consumer.Stream]("all")))
		p, _ := dial(t, app, &sink{})
		if got := testkit.Await(t, groups, "the groups"); !slices.Equal(got, []string{"all"}) {
			missing++
		}
		testkit.Await(t, p.over, "the end")
	}
	if missing > 0 {
		t.Errorf("%d of 100 functions were not in their groups after Accept", missing)
	}
}

// timeHangUp closes from the peer's side, and returns how long the connection takes to end.
func (p *peer) timeHangUp(code protocol.CloseCode) time.Duration {
	start := time.Now()
	p.hangUp(code)
	<-p.over
	return time.Since(start)
}

// Disconnect waits ten seconds for a function that ignores ctx, after the time in which
// the function may read messages that the peer sent before its close.
func TestFuncThatIgnoresItsContext(t *testing.T) {
	t.Parallel()
	const longest = 10*time.Second + plumbing.FinalTime
	rows := []struct {
		at     testkit.Line
		name   string
		unread []string
	}{
		{testkit.Here(), "nothing is unread", nil},
		{testkit.Here(), "one message is unread", []string{"1"}},
		{testkit.Here(), "five messages are unread", []string{"1", "2", "3", "4", "5"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var conn *consumer.Conn
				free, gone := make(chan struct{}), make(chan struct{})
				app, _ := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
					defer close(gone)
					conn = s.Conn
					_ = s.Join(ctx, "all")
					_ = s.SendText(ctx, "welcome")
					<-free // ignores ctx
					return nil
				}))
				p := connected(t, app)
				p.say(row.unread...)
				if took := p.timeHangUp(protocol.CloseNormal); took > longest {
					t.Errorf("%s: the connection took %v to end, want at most %v", row.at, took, longest)
				}
				if got := conn.Groups(); len(got) > 0 {
					t.Errorf("%s: still in %q", row.at, got)
				}
				st := p.counters.Stats()
				if st.MessagesUnread != int64(len(row.unread)) || st.GoroutinesAbandoned != 1 {
					t.Errorf("%s: counted %+v, want %d unread messages", row.at, st, len(row.unread))
				}
				if !strings.Contains(p.String(), "did not return within ten seconds") {
					t.Errorf("%s: logged %s", row.at, p.String())
				}
				close(free)
				<-gone
			})
		})
	}
}

func TestFuncIsInItsGroupsUntilItReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, _ := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			if err := s.Join(ctx, "all"); err != nil {
				return err
			}
			_ = s.SendText(ctx, "welcome")
			<-ctx.Done()
			<-time.After(4 * time.Second) // finishes its work
			if got := s.Groups(); len(got) != 1 {
				t.Errorf("in %q, want all", got)
			}
			return ctx.Err()
		}))
		p := connected(t, app)
		if took := p.timeHangUp(protocol.CloseAbnormal); took != 4*time.Second {
			t.Errorf("the connection took %v to end, want 4 s", took)
		}
		if got := p.counters.Stats(); got.Failures != 0 || p.String() != "" {
			t.Errorf("ctx's error was treated as a failure: %+v %s", got, p.String())
		}
	})
}

// The function of Func counts in Limits.Goroutines.
func TestFuncCountsAsAGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var errs [2]error
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			for i := range errs {
				errs[i] = s.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
			}
			return echo(ctx, s)
		})
		ann := consumertest.Connect(t, app, "/", &consumertest.Options{Limits: protocol.Limits{Goroutines: 2}})
		ann.SendText("x")
		ann.WantText("x")
		if errs[0] != nil || !errors.Is(errs[1], protocol.ErrTooMany) {
			t.Errorf("got %v, want one goroutine beside the function, and not two", errs)
		}
	})
}
