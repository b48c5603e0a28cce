package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// collector is a Func that reads all messages, each for a while, and tells at
// the end what it has read and how the loop ended.
type collector struct {
	turn time.Duration
	read chan []string
	err  error // read it after read
}

func (l *collector) run(ctx context.Context, s *consumer.Stream) error {
	var all []string
	defer func() { l.read <- all }()
	for m, err := range s.Messages(ctx) {
		if err != nil {
			l.err = err
			return err
		}
		all = append(all, m.Text())
		<-time.After(l.turn)
	}
	return nil
}

func collect(turn time.Duration) *collector {
	return &collector{turn: turn, read: make(chan []string, 1)}
}

// closes is a client's close.
func closes(code protocol.CloseCode) func(*consumertest.Client) {
	return func(ann *consumertest.Client) { ann.Close(code, "why") }
}

func TestTheLoopEndsAsTheConnectionDoes(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		code  protocol.CloseCode
		end   func(ann *consumertest.Client)
		quiet bool
	}{
		{testkit.Here(), protocol.CloseNormal, closes(protocol.CloseNormal), true},
		{testkit.Here(), protocol.CloseGoingAway, closes(protocol.CloseGoingAway), true},
		{testkit.Here(), protocol.CloseNoStatus, closes(protocol.CloseNoStatus), true},
		{testkit.Here(), protocol.CloseAbnormal, (*consumertest.Client).Vanish, false},
		{testkit.Here(), protocol.ClosePolicyViolation, closes(protocol.ClosePolicyViolation), false},
		{testkit.Here(), 4000, closes(4000), false},
	}
	for _, row := range rows {
		t.Run(row.code.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, out := collect(0), &logged{TB: t}
				ann := consumertest.Connect(out, consumer.Func(l.run), "/", nil)
				ann.SendText("hello")
				row.end(ann)
				ann.WantOver()
				if got := await(t, l.read, "the end of the loop"); !slices.Equal(got, []string{"hello"}) {
					t.Errorf("%s: read %q", row.at, got)
				}
				var ce *protocol.CloseError
				switch {
				case row.quiet && l.err != nil:
					t.Errorf("%s: the loop ended with %v, want nothing", row.at, l.err)
				case !row.quiet && (!errors.As(l.err, &ce) || ce.Code != row.code || !errors.Is(l.err, protocol.ErrClosed)):
					t.Errorf("%s: the loop ended with %v, want the close", row.at, l.err)
				}
				out.wantLog(row.at, "") // to pass on how the connection ended is no failure
			})
		})
	}
}

func TestMessagesThatCameBeforeTheCloseAreAllYielded(t *testing.T) {
	t.Parallel()
	for name, turn := range map[string]time.Duration{"fast": 0, "slow": 3 * time.Second, "slower than ten seconds": 25 * time.Second} {
		for _, code := range []protocol.CloseCode{protocol.CloseNormal, protocol.CloseAbnormal} {
			t.Run(name+" "+code.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := collect(turn)
					p := connected(t, consumer.Func(l.run))
					want := []string{"1", "2", "3", "4", "5", "6"}
					p.say(want...)
					p.hangUp(code)
					if got := <-l.read; !slices.Equal(got, want) {
						t.Errorf("read %q, want %q", got, want)
					}
					await(t, p.over, "the end")
					if got := p.counters.Stats(); got.MessagesUnread != 0 || got.Open != 0 {
						t.Errorf("counted %+v", got)
					}
				})
			})
		}
	}
}

// next leaves the loop after the first message.
func next(ctx context.Context, s *consumer.Stream) string {
	for m, err := range s.Messages(ctx) {
		if err == nil {
			return m.Text()
		}
	}
	return ""
}

func TestLeavingTheLoopAndRangingAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			name := next(ctx, s)
			if err := s.SendText(ctx, "hello "+name); err != nil {
				return err
			}
			<-time.After(time.Minute)
			err := errors.Join(s.SendText(ctx, name+": "+next(ctx, s)), echo(ctx, s))
			if after := next(ctx, s); after != "" {
				t.Errorf("the connection has ended, and the loop goes on with %q", after)
			}
			return err
		})
		ann := consumertest.Connect(t, app, "/", &consumertest.Options{Patience: time.Hour})
		for _, s := range []string{"ann", "one", "two"} {
			ann.SendText(s)
		}
		ann.WantText("hello ann")
		ann.WantNothing()
		ann.WantText("ann: one")
		ann.WantText("two")
		ann.Close(protocol.CloseNormal, "")
		ann.WantOver()
	})
}

func TestTheLoopsOwnContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			idle, cancel := context.WithTimeoutCause(ctx, time.Minute, errSecret)
			defer cancel()
			if err := echo(idle, s); !errors.Is(err, errSecret) || ctx.Err() != nil {
				t.Errorf("the loop ended with %v, want its own cause; the connection has ended with %v", err, ctx.Err())
			}
			return errors.Join(s.SendText(ctx, "still there?"), echo(ctx, s))
		})
		ann := consumertest.Connect(t, app, "/", &consumertest.Options{Patience: time.Hour})
		start := time.Now()
		ann.SendText("hello")
		ann.WantText("hello")
		ann.WantText("still there?")
		if took := time.Since(start); took != time.Minute {
			t.Errorf("the loop ended after %v, want 1 m", took)
		}
		ann.SendText("yes")
		ann.WantText("yes")
	})
}

// echo sends everything back.
func echo(ctx context.Context, s *consumer.Stream) error {
	for m, err := range s.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := s.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func TestTheLoopEndsAlsoIfItsContextDoesNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			err := echo(context.WithoutCancel(ctx), s)
			ended <- err
			return err
		})
		ann := consumertest.Connect(t, app, "/", nil)
		ann.SendText("hello")
		ann.WantText("hello")
		ann.Vanish()
		var ce *protocol.CloseError
		if err := await(t, ended, "the end of the loop"); !errors.As(err, &ce) || ce.Code != protocol.CloseAbnormal {
			t.Errorf("the loop ended with %v, want the end of the connection", err)
		}
	})
}

func TestDiscardedMessagesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			s.Discard()
			s.Discard()
			if err := s.Accept(nil); err != nil {
				return err
			}
			for range 3 {
				<-time.After(time.Minute)
				if err := s.SendText(ctx, "tick"); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
		ann := consumertest.Connect(t, app, "/", &consumertest.Options{Patience: time.Hour, Limits: protocol.Limits{ReadAhead: 100}})
		for range 50 {
			ann.SendText("more than the read-ahead holds")
		}
		synctest.Wait()
		if got := ann.Stats(); got.MessagesUnread != 50 || got.Failures != 0 {
			t.Errorf("counted %+v, want 50 unread", got)
		}
		for range 3 {
			ann.WantText("tick")
		}
	})
}

func TestDiscardReleasesAMessageThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			err := s.SendText(ctx, "hello")
			<-time.After(time.Minute)
			s.Discard()
			<-ctx.Done()
			return err
		})
		ann := consumertest.Connect(t, app, "/", nil)
		ann.SendText("anybody?")
		synctest.Wait()
		if got := ann.Stats().MessagesUnread; got != 0 {
			t.Errorf("%d messages counted before Discard", got)
		}
		<-time.After(2 * time.Minute)
		if got := ann.Stats().MessagesUnread; got != 1 {
			t.Errorf("%d messages counted after Discard, want 1", got)
		}
	})
}

func TestAPanicInATurnGivesTheMessageBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			func() {
				defer func() { _ = recover() }()
				for m, err := range s.Messages(ctx) {
					panic(fmt.Sprint("half way through ", m.Text(), err))
				}
			}()
			return echo(ctx, s)
		})
		ann := consumertest.Connect(t, app, "/", nil)
		ann.SendText("lost")
		ann.SendText("and then?")
		ann.WantText("and then?")
	})
}
