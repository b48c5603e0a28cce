package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// collector is a function for Func. It reads all messages, waits for pause after each, and
// sends to read what it has read.
type collector struct {
	pause time.Duration
	read  chan []string
	err   error // of the loop; set before read is sent
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
		<-time.After(l.pause)
	}
	return nil
}

func collect(pause time.Duration) *collector {
	return &collector{pause: pause, read: make(chan []string, 1)}
}

// closes returns a function that closes a connection from the client's side.
func closes(code protocol.CloseCode) func(*consumertest.Client) {
	return func(ann *consumertest.Client) { ann.Close(code, "why") }
}

func TestLoopEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		code  protocol.CloseCode
		close func(ann *consumertest.Client)
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
				row.close(ann)
				ann.WantOver()
				if got := testkit.Await(t, l.read, "the end of the loop"); !slices.Equal(got, []string{"hello"}) {
					t.Errorf("%s: read %q", row.at, got)
				}
				var ce *protocol.CloseError
				switch {
				case row.quiet && l.err != nil:
					t.Errorf("%s: the loop ended with %v, want nothing", row.at, l.err)
				case !row.quiet && (!errors.As(l.err, &ce) || ce.Code != row.code || !errors.Is(l.err, protocol.ErrClosed)):
					t.Errorf("%s: the loop ended with %v, want the close", row.at, l.err)
				}
				out.wantLog(row.at, "") // returning the close as an error is not a failure
			})
		})
	}
}

// Messages that the peer sent before its close are yielded for plumbing.FinalTime; then
// the loop ends.
func TestMessagesFromBeforeTheClose(t *testing.T) {
	t.Parallel()
	all := []string{"1", "2", "3", "4", "5", "6"}
	for _, row := range []struct {
		at    testkit.Line
		pause time.Duration
		want  []string // the first is being handled when the peer closes
	}{
		{testkit.Here(), 0, all},
		{testkit.Here(), 200 * time.Millisecond, all},
		{testkit.Here(), 400 * time.Millisecond, all[:4]},
		{testkit.Here(), 25 * time.Second, all[:2]},
	} {
		for _, code := range []protocol.CloseCode{protocol.CloseNormal, protocol.CloseAbnormal} {
			t.Run(row.pause.String()+" "+code.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := collect(row.pause)
					p := connected(t, consumer.Func(l.run))
					p.say(all...)
					p.hangUp(code)
					if got := <-l.read; !slices.Equal(got, row.want) {
						t.Errorf("%s: read %q, want %q", row.at, got, row.want)
					}
					testkit.Await(t, p.over, "the end")
					if got := p.counters.Stats(); got.MessagesUnread != int64(len(all)-len(row.want)) || got.Open != 0 || got.Failures != 0 {
						t.Errorf("%s: counted %+v", row.at, got)
					}
				})
			})
		}
	}
}

// After the function has closed the connection, it receives no message: in each way to
// close, before and after the peer's close, and if it ranges again.
func TestNoMessageAfterFuncCloses(t *testing.T) {
	t.Parallel()
	type step = func(ctx context.Context, s *consumer.Stream) error
	again := func(end func(s *consumer.Stream)) step {
		return func(ctx context.Context, s *consumer.Stream) error {
			end(s)
			for m, err := range s.Messages(context.WithoutCancel(ctx)) {
				if err == nil {
					t.Errorf("ranging again yields %q", m.Text())
				}
			}
			return nil
		}
	}
	for _, row := range []struct {
		at   testkit.Line
		name string
		end  step // what the function does after the second message
	}{
		{testkit.Here(), "returns nil", func(context.Context, *consumer.Stream) error { return nil }},
		{testkit.Here(), "returns Close", func(context.Context, *consumer.Stream) error { return protocol.NewCloseError(4401, "wrong PIN") }},
		{testkit.Here(), "returns an error", func(context.Context, *consumer.Stream) error { return errSecret }},
		{testkit.Here(), "panics", func(context.Context, *consumer.Stream) error { panic(errSecret) }},
		{testkit.Here(), "exits", func(context.Context, *consumer.Stream) error { runtime.Goexit(); return nil }},
		{testkit.Here(), "calls Close", again(func(s *consumer.Stream) { s.Close(4401, "wrong PIN") })},
		{testkit.Here(), "calls CloseWith", again(func(s *consumer.Stream) { s.CloseWith(errSecret) })},
	} {
		for _, when := range []string{"peer stays", "peer closes before", "peer closes while ending"} {
			t.Run(row.name+", "+when, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var read []string
					ending := make(chan struct{})
					p := connected(t, consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
						for m, err := range s.Messages(ctx) {
							if err != nil {
								return err
							}
							read = append(read, m.Text())
							<-time.After(100 * time.Millisecond)
							if len(read) == 2 {
								close(ending)
								break
							}
						}
						return row.end(ctx, s)
					}))
					p.say("1", "2", "3", "4", "5")
					if when == "peer closes while ending" {
						<-ending
					}
					if when != "peer stays" {
						p.hangUp(protocol.CloseNormal)
					}
					<-p.over
					if got := p.counters.Stats(); !slices.Equal(read, []string{"1", "2"}) || got.MessagesUnread != 3 {
						t.Errorf("%s: read %q and counted %+v, want two read and three unread", row.at, read, got)
					}
				})
			})
		}
	}
}

// next returns the text of one message: it leaves the loop after the first iteration.
func next(ctx context.Context, s *consumer.Stream) string {
	for m, err := range s.Messages(ctx) {
		if err == nil {
			return m.Text()
		}
	}
	return ""
}

func TestRangingAgain(t *testing.T) {
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
				t.Errorf("a loop after the close yields %q", after)
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

func TestContextOfALoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			idle, cancel := context.WithTimeoutCause(ctx, time.Minute, errSecret)
			defer cancel()
			if err := echo(idle, s); !errors.Is(err, errSecret) || ctx.Err() != nil {
				t.Errorf("the loop ended with %v, want the cause of its context; the error of the connection is %v", err, ctx.Err())
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

// echo sends each message back.
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

func TestLoopEndsBeforeItsContext(t *testing.T) {
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
		if err := testkit.Await(t, ended, "the end of the loop"); !errors.As(err, &ce) || ce.Code != protocol.CloseAbnormal {
			t.Errorf("the loop ended with %v, want the close of the connection", err)
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

func TestDiscardReleasesAWaitingMessage(t *testing.T) {
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
		ann.SendText("hello?")
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

func TestPanicInALoopReturnsTheMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			func() {
				defer func() { _ = recover() }()
				for m, err := range s.Messages(ctx) {
					panic(fmt.Sprint("panic in the body: ", m.Text(), err))
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
