package consumer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// The ctx of the function has the connection's values, the connection is in its groups
// until the function has returned, and Disconnect needs no lock for what it has used.
func TestGo(t *testing.T) {
	t.Parallel()
	type key struct{}
	withValue := func(next protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
			return next.Open(s.WithValue(key{}, "scope's"))
		})
	}
	for _, row := range []struct {
		at   testkit.Line
		form func(work func(ctx context.Context, c *consumer.Conn) error, over func()) protocol.Application
	}{
		{testkit.Here(), func(work func(ctx context.Context, c *consumer.Conn) error, over func()) protocol.Application {
			return (&stub{
				connect: func(ctx context.Context, c *consumer.Conn) error {
					return errors.Join(c.Join(ctx, "all"), c.Go(func(ctx context.Context) error { return work(ctx, c) }))
				},
				disconnect: func(context.Context, *consumer.Conn, consumer.CloseStatus) { over() },
			}).app()
		}},
		{testkit.Here(), func(work func(ctx context.Context, c *consumer.Conn) error, _ func()) protocol.Application {
			return consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
				err := s.Go(func(ctx context.Context) error { return work(ctx, s.Conn) })
				return errors.Join(err, echo(ctx, s))
			}, consumer.Groups[*consumer.Stream]("all"))
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			worked := 0
			app, _ := onLayer(withValue(row.form(func(ctx context.Context, c *consumer.Conn) error {
				if ctx != c.Context() || ctx.Value(key{}) != "scope's" {
					t.Errorf("%s: the function's ctx is not the connection's", row.at)
				}
				for ctx.Err() == nil {
					worked++
					select {
					case <-time.After(time.Minute):
					case <-ctx.Done():
					}
				}
				<-time.After(time.Second)
				if got := c.Groups(); len(got) != 1 {
					t.Errorf("%s: in %q while the function runs, want all", row.at, got)
				}
				worked = -worked
				return ctx.Err()
			}, func() {
				if worked != -3 {
					t.Errorf("%s: Disconnect read %d, want -3", row.at, worked)
				}
			})))
			p := connected(t, app)
			<-time.After(2*time.Minute + time.Second)
			if took := p.timeHangUp(protocol.CloseNormal); took != time.Second || worked != -3 {
				t.Errorf("%s: the connection took %v to end, and the count is %d", row.at, took, worked)
			}
			if st := p.counters.Stats(); st.Failures != 0 || st.Open != 0 || p.String() != "" {
				t.Errorf("%s: counted %+v, logged %s", row.at, st, p.String())
			}
		})
	}
}

// A panic closes one connection, and is logged with its stack.
func TestGo_PanicClosesOneConnection(t *testing.T) {
	t.Parallel()
	app := (&stub{receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		if m.Text() == "panic" {
			return c.Go(func(context.Context) error { panic(errSecret) })
		}
		return c.Send(ctx, m)
	}}).app()
	out := &logged{TB: t}
	ann, bob := consumertest.Connect(out, app, "/", nil), consumertest.Connect(t, app, "/", nil)
	ann.SendText("panic")
	ann.WantClose(protocol.CloseInternalError)
	ann.WantOver()
	out.wantLog(testkit.Here(), "go_test.go")
	bob.SendText("still here")
	bob.WantText("still here")
	if st := ann.Stats(); st.Panics != 1 {
		t.Errorf("counted %+v", st)
	}
}
