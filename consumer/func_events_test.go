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

//nolint:revive // On's handler is a method expression as a rule, which a Stream cannot have
func onSaid(_ *consumer.Stream, ctx context.Context, c *consumer.Conn, l line) error {
	return c.SendText(ctx, "event: "+l.Text)
}

func TestEventsComeBetweenTheTurnsOfALoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inTurn := false // no lock: the race detector would tell
		app, l := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			for m, err := range s.Messages(ctx) {
				if err != nil {
					return err
				}
				inTurn = true
				<-time.After(time.Minute)
				if err := s.SendText(ctx, m.Text()); err != nil {
					return err
				}
				inTurn = false
			}
			return nil
		}, consumer.Groups[*consumer.Stream]("all"),
			consumer.On(said(), func(s *consumer.Stream, ctx context.Context, c *consumer.Conn, l line) error {
				if inTurn {
					t.Error("an event is handled during a turn")
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
		ann.SendText("first turn")
		synctest.Wait()
		send("meanwhile")
		ann.WantNothing()
		ann.WantText("first turn")
		ann.WantText("event: meanwhile")
		ann.SendText("second turn")
		ann.WantText("second turn")
	})
}

func TestEventsAreHandledBesideAFunctionThatIsInNoLoop(t *testing.T) {
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

		ann.SendText("a word that nobody reads")
		synctest.Wait()
		send("2")
		ann.WantNothing() // a message that no turn takes holds up what is behind it
		close(discard)
		ann.WantText("event: 2")
		ann.SendText("another one")
		synctest.Wait()
		send("3")
		ann.WantText("event: 3")
	})
}

// TestGroupsAreJoinedWhenAFunctionGoesOn looks at the groups as soon as f has
// accepted, many times, because another goroutine joins them.
func TestGroupsAreJoinedWhenAFunctionGoesOn(t *testing.T) {
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
		if got := await(t, groups, "the groups"); !slices.Equal(got, []string{"all"}) {
			missing++
		}
		await(t, p.over, "the end")
	}
	if missing > 0 {
		t.Errorf("%d of 100 functions were not in their groups after Accept; a group send of theirs misses themselves", missing)
	}
}

// takes is how long the end takes that the peer begins.
func (p *peer) takes(code protocol.CloseCode) time.Duration {
	start := time.Now()
	p.hangUp(code)
	<-p.over
	return time.Since(start)
}

// TestAFunctionThatIgnoresTheEndHasTenSeconds: and a moment before them in which it
// could take what the peer had said.
func TestAFunctionThatIgnoresTheEndHasTenSeconds(t *testing.T) {
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
					<-free // and not ctx
					return nil
				}))
				p := connected(t, app)
				p.say(row.unread...)
				if took := p.takes(protocol.CloseNormal); took > longest {
					t.Errorf("%s: the end took %v, want at most %v", row.at, took, longest)
				}
				if got := conn.Groups(); len(got) > 0 {
					t.Errorf("%s: still in %q", row.at, got)
				}
				st := p.counters.Stats()
				if st.MessagesUnread != int64(len(row.unread)) || st.GoroutinesAbandoned != 1 {
					t.Errorf("%s: counted %+v, want %d unread messages", row.at, st, len(row.unread))
				}
				if !strings.Contains(p.text(), "did not return within ten seconds") {
					t.Errorf("%s: logged %s", row.at, p.text())
				}
				close(free)
				<-gone
			})
		})
	}
}

func TestAFunctionThatEndsInTimeIsInItsGroupsUntilThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, _ := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			if err := s.Join(ctx, "all"); err != nil {
				return err
			}
			_ = s.SendText(ctx, "welcome")
			<-ctx.Done()
			<-time.After(4 * time.Second) // saving what there is to save
			if got := s.Groups(); len(got) != 1 {
				t.Errorf("in %q, want all", got)
			}
			return ctx.Err()
		}))
		p := connected(t, app)
		if took := p.takes(protocol.CloseAbnormal); took != 4*time.Second {
			t.Errorf("the end took %v, want 4 s", took)
		}
		if got := p.counters.Stats(); got.Failures != 0 || p.text() != "" {
			t.Errorf("returning ctx's error is no failure, but %+v %s", got, p.text())
		}
	})
}

// TestAFunctionIsOneOfTheGoroutines of its connection, in Limits.Goroutines.
func TestAFunctionIsOneOfTheGoroutines(t *testing.T) {
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
			t.Errorf("got %v, want one more goroutine than the function and not two", errs)
		}
	})
}
