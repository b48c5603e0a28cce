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
	"github.com/wye-go/wye/protocol"
)

// ask reads one answer.
type ask = func(ctx context.Context, s *consumer.Stream) (string, error)

// asks returns the ways to read one answer, by name.
func asks() map[string]ask {
	return map[string]ask{
		"Next": func(ctx context.Context, s *consumer.Stream) (string, error) {
			m, err := s.Next(ctx)
			return m.Text(), err
		},
		"a loop": func(ctx context.Context, s *consumer.Stream) (string, error) {
			for m, err := range s.Messages(ctx) {
				return m.Text(), err
			}
			return "", protocol.ErrClosed
		},
		"a loop in a loop": func(ctx context.Context, s *consumer.Stream) (string, error) {
			for m, err := range s.Messages(ctx) {
				first := m.Text() // m is lent until the next message is read
				for n, err := range s.Messages(ctx) {
					return first + n.Text(), err
				}
				return first, err
			}
			return "", protocol.ErrClosed
		},
	}
}

// The body of a loop asks a question and reads the answer. The loop continues with the
// message after the answer.
func TestOneAnswerInTheBodyOfALoop(t *testing.T) {
	t.Parallel()
	for name, ask := range asks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
					for m, err := range s.Messages(ctx) {
						if err != nil {
							return err
						}
						command := m.Text()
						if err := s.SendText(ctx, command+"?"); err != nil {
							return err
						}
						answer, err := ask(ctx, s)
						if err := errors.Join(err, s.SendText(ctx, command+" "+answer)); err != nil {
							return err
						}
					}
					return nil
				})
				ann := consumertest.Connect(t, app, "/", nil)
				for _, command := range []string{"open", "close"} {
					ann.SendText(command)
					ann.WantText(command + "?")
					ann.WantNothing()
					answers := []string{"yes"}
					if name == "a loop in a loop" {
						answers = []string{"y", "es"}
					}
					for _, a := range answers {
						ann.SendText(a)
					}
					ann.WantText(command + " yes")
				}
				ann.SendText("open")
				ann.WantText("open?")
				ann.Close(protocol.CloseNormal, "")
				ann.WantOver()
				if st := ann.Stats(); st.Failures != 0 || st.MessagesUnread != 0 {
					t.Errorf("counted %+v", st)
				}
			})
		})
	}
}

// Next returns the close as an error, whatever its code. A function that returns this
// error does not fail.
func TestNextErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		end  func(ann *consumertest.Client)
		code protocol.CloseCode
	}{
		{testkit.Here(), closes(protocol.CloseNormal), protocol.CloseNormal},
		{testkit.Here(), closes(protocol.CloseGoingAway), protocol.CloseGoingAway},
		{testkit.Here(), closes(protocol.CloseNoStatus), protocol.CloseNoStatus},
		{testkit.Here(), closes(4000), 4000},
		{testkit.Here(), (*consumertest.Client).Vanish, protocol.CloseAbnormal},
	} {
		synctest.Test(t, func(t *testing.T) {
			var read []string
			var ended error
			out := &logged{TB: t}
			ann := consumertest.Connect(out, consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
				for {
					m, err := s.Next(ctx)
					if err != nil {
						_, again := s.Next(context.WithoutCancel(ctx))
						if m.Data != nil || !errors.Is(again, err) {
							t.Errorf("%s: Next returned the message %q with its error, and %v when called again", row.at, m.Data, again)
						}
						ended = err
						return err
					}
					read = append(read, m.Text())
					<-time.After(time.Millisecond)
				}
			}), "/", nil)
			for _, s := range []string{"1", "2", "3"} {
				ann.SendText(s)
			}
			row.end(ann)
			ann.WantOver()
			var ce *protocol.CloseError
			if !errors.As(ended, &ce) || ce.Code != row.code || !errors.Is(ended, protocol.ErrClosed) || !slices.Equal(read, []string{"1", "2", "3"}) {
				t.Errorf("%s: read %q, ended with %v", row.at, read, ended)
			}
			if st := ann.Stats(); st.Failures != 0 {
				t.Errorf("%s: counted %+v", row.at, st)
			}
			out.wantLog(row.at, "")
		})
	}
}

// A message that comes after the deadline of Next is not lost.
func TestNextWithADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			soon, cancel := context.WithTimeoutCause(ctx, time.Second, errSecret)
			defer cancel()
			if _, err := s.Next(soon); !errors.Is(err, errSecret) {
				t.Errorf("ended with %v, want the cause", err)
			}
			m, err := s.Next(ctx)
			return errors.Join(err, s.Send(ctx, m))
		})
		ann := consumertest.Connect(t, app, "/", &consumertest.Options{Patience: time.Minute})
		<-time.After(2 * time.Second)
		ann.SendText("late")
		ann.WantText("late")
		ann.WantClose(protocol.CloseNormal)
	})
}

// The caller of Next owns the bytes, and events are handled as soon as Next has returned.
func TestNextReturnsACopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, l := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			var kept []string
			var all []consumer.Message
			for range 3 {
				m, err := s.Next(ctx)
				if err != nil {
					return err
				}
				all = append(all, m)
				<-time.After(time.Minute)
			}
			for _, m := range all {
				kept = append(kept, m.Text())
			}
			return s.SendText(ctx, strings.Join(kept, " "))
		}, consumer.Groups[*consumer.Stream]("all"), consumer.On(said(), onSaid)))
		ann := consumertest.Connect(t, app, "/", &consumertest.Options{Patience: time.Hour})
		ann.SendText("one")
		synctest.Wait()
		start := time.Now()
		if err := l.GroupSend(t.Context(), "all", said().New(line{Text: "now"})); err != nil {
			t.Error(err)
		}
		ann.WantText("event: now")
		if took := time.Since(start); took != 0 {
			t.Errorf("the event came after %v", took)
		}
		ann.SendText("two")
		ann.SendText("three")
		ann.WantText("one two three")
	})
}

// Next in an event handler waits for itself while the connection is open. It must not
// delay the end of the connection.
func TestNextInAnEventHandlerEnds(t *testing.T) {
	t.Parallel()
	for _, read := range []func(ctx context.Context, s *consumer.Stream) error{
		func(ctx context.Context, s *consumer.Stream) error { _, err := s.Next(ctx); return err },
		func(ctx context.Context, s *consumer.Stream) error { return echo(context.WithoutCancel(ctx), s) },
	} {
		for _, ours := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				var stream *consumer.Stream
				app, l := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
					stream = s
					err := s.SendText(ctx, "welcome")
					<-ctx.Done()
					return err
				}, consumer.Groups[*consumer.Stream]("all"),
					consumer.On(said(), func(s *consumer.Stream, ctx context.Context, _ *consumer.Conn, _ line) error {
						return read(ctx, s)
					})))
				p := connected(t, app)
				synctest.Wait()
				if err := l.GroupSend(t.Context(), "all", said().New(line{})); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				start := time.Now()
				if ours {
					stream.Close(4000, "")
				} else {
					p.hangUp(protocol.CloseNormal)
				}
				<-p.over
				if took := time.Since(start); took > plumbing.FinalTime {
					t.Errorf("the connection took %v to end", took)
				}
			})
		}
	}
}
