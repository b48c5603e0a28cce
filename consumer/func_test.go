package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// run is a function for consumer.Func.
type run = func(ctx context.Context, s *consumer.Stream) error

func TestDecision4_LoopOnlyOnStream(t *testing.T) {
	t.Parallel()
	for _, m := range []string{"Messages", "Next", "Discard"} {
		if _, has := reflect.TypeFor[*consumer.Conn]().MethodByName(m); has {
			t.Errorf("Conn.%s: in a callback such a loop would wait for itself", m)
		}
		if _, has := reflect.TypeFor[*consumer.Stream]().MethodByName(m); !has {
			t.Errorf("Stream has no method %s", m)
		}
	}
}

func TestFirstCallOfFuncAccepts(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		name string
		step run
		want string
	}{
		{testkit.Here(), "Send", func(ctx context.Context, s *consumer.Stream) error { return s.Send(ctx, protocol.Text("a")) }, "a"},
		{testkit.Here(), "SendText", func(ctx context.Context, s *consumer.Stream) error { return s.SendText(ctx, "b") }, "b"},
		{testkit.Here(), "SendJSON", func(ctx context.Context, s *consumer.Stream) error { return s.SendJSON(ctx, "c") }, `"c"`},
		{testkit.Here(), "Accept", func(_ context.Context, s *consumer.Stream) error { return s.Accept(nil) }, ""},
		{testkit.Here(), "Messages", func(ctx context.Context, s *consumer.Stream) error {
			for m, err := range s.Messages(ctx) {
				return errors.Join(err, s.SendText(ctx, m.Text()))
			}
			return nil
		}, "from the peer"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start, before := time.Now(), time.Duration(-1)
				app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
					<-time.After(time.Second) // waiting does not accept
					before = time.Since(start)
					err := row.step(ctx, s)
					if again := s.Accept(nil); err != nil || !errors.Is(again, plumbing.ErrAccepted) {
						t.Errorf("%s: the step returned %v and a second Accept %v, want ErrAccepted", row.at, err, again)
					}
					<-ctx.Done()
					return nil
				})
				ann := consumertest.Connect(t, app, "/", nil)
				if took := time.Since(start); took != before || took != time.Second {
					t.Errorf("%s: accepted after %v, want 1 s", row.at, took)
				}
				ann.SendText("from the peer")
				if row.want != "" {
					ann.WantText(row.want)
				}
				ann.WantNothing()
			})
		})
	}
}

// The scope of an accepted connection does not keep what only the handshake needs.
func TestFuncReleasesTheRequest(t *testing.T) {
	t.Parallel()
	app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		first := s.Scope()
		for _, err := range s.Messages(ctx) {
			if err != nil {
				return err
			}
			now := s.Scope()
			text := fmt.Sprintf("%t, then %d headers, query %q, %s in %s", first.Header() != nil, len(now.Header()), now.RawQuery(), now.Param("room"), now.RootPath())
			if err := s.SendText(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
	ann := consumertest.Connect(t, router.NewURLRouter(router.Path("ws/<slug:room>/", app)), "/ws/red/?token=1", nil)
	ann.SendText("?")
	ann.WantText(`true, then 0 headers, query "", red in /ws/red/`)
}

func TestFuncAcceptsWithOptions(t *testing.T) {
	t.Parallel()
	app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		sub := s.Scope().Subprotocols()[1]
		if err := s.Accept(&protocol.AcceptOptions{Subprotocol: sub}); err != nil {
			return err
		}
		return s.SendText(ctx, "welcome to "+s.Scope().Path())
	})
	ann := consumertest.Connect(t, app, "/x/", &consumertest.Options{Subprotocols: []string{"v1", "v2"}})
	if got := ann.Subprotocol(); got != "v2" {
		t.Errorf("the subprotocol is %q, want v2", got)
	}
	ann.WantText("welcome to /x/")
	ann.WantClose(protocol.CloseNormal)
}

func TestFuncRefuses(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at     testkit.Line
		name   string
		f      run
		status int
		body   string
		log    string
	}{
		{testkit.Here(), "Reject", func(context.Context, *consumer.Stream) error { return protocol.NewRejectError(401, "log in") }, 401, "log in", ""},
		{testkit.Here(), "Close returned", func(context.Context, *consumer.Stream) error { return protocol.NewCloseError(4003, "not you") }, 403, "not you", ""},
		{testkit.Here(), "error", func(context.Context, *consumer.Stream) error { return errSecret }, 500, "Internal Server Error", "swordfish"},
		{testkit.Here(), "panic", func(context.Context, *consumer.Stream) error { panic(errSecret) }, 500, "Internal Server Error", "func_test.go"},
		{testkit.Here(), "Goexit", func(context.Context, *consumer.Stream) error { runtime.Goexit(); return nil }, 500, "Internal Server Error", "Goexit"},
		{testkit.Here(), "Close called", func(_ context.Context, s *consumer.Stream) error { s.Close(4003, "not you"); return nil }, 403, "not you", ""},
		{testkit.Here(), "Close called, and the loop", func(ctx context.Context, s *consumer.Stream) error {
			s.Close(4003, "not you")
			for m, err := range s.Messages(ctx) {
				if err == nil {
					t.Errorf("a refused connection has the message %q", m.Data)
				}
			}
			return nil
		}, 403, "not you", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := &logged{TB: t}
				got := consumertest.Refused(out, consumer.Func(row.f), "/", nil)
				if got.Status != row.status || got.Body != row.body {
					t.Errorf("%s: refused with %d %q, want %d %q", row.at, got.Status, got.Body, row.status, row.body)
				}
				out.wantLog(row.at, row.log)
			})
		})
	}
}

func TestFuncResults(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		name string
		end  func() error
		want protocol.CloseStatus
		log  string
	}{
		{testkit.Here(), "nil", func() error { return nil }, protocol.CloseStatus{Code: protocol.CloseNormal}, ""},
		{testkit.Here(), "a close", func() error { return fmt.Errorf("x: %w", protocol.NewCloseError(4004, "why")) }, protocol.CloseStatus{Code: 4004, Reason: "why"}, ""},
		{testkit.Here(), "an error", func() error { return errSecret }, protocol.CloseStatus{Code: protocol.CloseInternalError}, "swordfish"},
		{testkit.Here(), "a panic", func() error { panic(errSecret) }, protocol.CloseStatus{Code: protocol.CloseInternalError}, "func_test.go"},
		{testkit.Here(), "Goexit", func() error { runtime.Goexit(); return nil }, protocol.CloseStatus{Code: protocol.CloseInternalError}, "Goexit"},
	}
	positions := map[string]func(end func() error) run{
		"after a send": func(end func() error) run {
			return func(ctx context.Context, s *consumer.Stream) error {
				_ = s.SendText(ctx, "welcome")
				return end()
			}
		},
		"in a loop": func(end func() error) run {
			return func(ctx context.Context, s *consumer.Stream) error {
				_ = s.SendText(ctx, "welcome")
				for _, err := range s.Messages(ctx) {
					return errors.Join(err, end())
				}
				return errors.New("the loop has ended")
			}
		},
	}
	for _, row := range rows {
		for position, f := range positions {
			t.Run(row.name+" "+position, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					out := &logged{TB: t}
					ann := consumertest.Connect(out, consumer.Func(f(row.end)), "/", nil)
					ann.SendText("go on")
					ann.WantText("welcome")
					got := ann.WantClose(row.want.Code)
					if got.Reason != row.want.Reason {
						t.Errorf("%s: the close reason is %q, want %q", row.at, got.Reason, row.want.Reason)
					}
					ann.WantOver()
					out.wantLog(row.at, row.log)
				})
			})
		}
	}
}

func TestFuncThatReturnsAtOnceAcceptsAndCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ann := consumertest.Connect(t, consumer.Func(func(context.Context, *consumer.Stream) error { return nil }), "/", nil)
		ann.WantClose(protocol.CloseNormal)
		ann.WantOver()
		if got := ann.Stats(); got.Accepted != 1 || got.Failures != 0 || got.Open != 0 {
			t.Errorf("counted %+v", got)
		}
	})
}

// The function returns while Connect still waits for its decision. That depends on
// scheduling, so the test is repeated.
func TestFuncThatReturnsBeforeConnectDoes(t *testing.T) {
	t.Parallel()
	for failures, end := range []error{nil, errSecret} {
		app := consumer.Func(func(_ context.Context, s *consumer.Stream) error { return errors.Join(s.Accept(nil), end) })
		wrong := 0
		for range 1000 {
			p, _ := dial(t, app, &sink{})
			testkit.Await(t, p.over, "the end")
			if p.counters.Stats().Failures != int64(failures) || strings.Count(p.String(), "level=ERROR") != failures {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("%d of 1000 functions that returned %v were not counted and logged as %d failures", wrong, end, failures)
		}
	}
}

func TestFuncThatNeverDecidesIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			if err := s.SendText(ctx, "too late"); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("a send after the refusal: %v, want ErrClosed", err)
			}
			if err := s.Accept(nil); err == nil {
				t.Error("accepted after the refusal")
			}
			for m, err := range s.Messages(ctx) {
				if err == nil {
					t.Errorf("a message after the refusal: %q", m.Data)
				}
			}
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		out := &logged{TB: t}
		got := consumertest.Refused(out, app, "/", &consumertest.Options{Context: ctx})
		if got.Status != http.StatusServiceUnavailable || !strings.Contains(out.String(), "deadline") {
			t.Errorf("refused with %d, and logged %q; want 503 and the deadline", got.Status, out.String())
		}
		if cause := testkit.Await(t, ended, "the end of f's ctx"); !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("the cause of f's ctx is %v", cause)
		}
		synctest.Wait()
	})
}
