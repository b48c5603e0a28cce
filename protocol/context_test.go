package protocol_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

type contextKey struct{}

// derivation is a way to derive a context.
type derivation struct {
	at      testkit.Line
	derive  func(ctx context.Context) (context.Context, context.CancelFunc)
	isEnded bool // when the connection has closed
}

// check checks a derived context after the close.
func (d *derivation) check(got context.Context, t *testing.T) {
	t.Helper()
	if got.Value(contextKey{}) != "base" {
		t.Errorf("%s: the value is %v", d.at, got.Value(contextKey{}))
	}
	if !d.isEnded {
		if got.Err() != nil {
			t.Errorf("%s: ended with %v", d.at, got.Err())
		}
		return
	}
	<-got.Done()
	var ce *protocol.CloseError
	if got.Err() != context.Canceled || !errors.As(context.Cause(got), &ce) || ce.Code != 4001 { //nolint:err113 // package context promises this value
		t.Errorf("%s: ended with %v, because of %v", d.at, got.Err(), context.Cause(got))
	}
}

// TestContext_IsAContext checks contexts that are derived from the connection's, at once or
// by way of another, before and after the connection has closed.
func TestContext_IsAContext(t *testing.T) {
	t.Parallel()
	none := func() {}
	for _, row := range []derivation{
		{testkit.Here(), func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, none }, true},
		{testkit.Here(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithValue(ctx, testkit.Here(), 1), none
		}, true},
		{testkit.Here(), context.WithCancel, true},
		{testkit.Here(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.WithValue(ctx, testkit.Here(), 1), time.Hour)
		}, true},
		{testkit.Here(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithoutCancel(ctx), none
		}, false},
		{testkit.Here(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithCancel(context.WithoutCancel(ctx))
		}, false},
	} {
		for _, early := range []bool{true, false} { // derived before the close, or after it
			tr := &wire{}
			base, cancelBase := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "base"))
			s := protocol.NewSession(base, &fakes.Handler{}, protocol.NewScope("websocket", request()), tr, nil)
			cancelBase() // must not end the connection's
			over := make(chan struct{})
			s.Conn().Defer(func() { close(over) })
			s.Open()
			ctx := s.Conn().Context()
			if s.Conn().Context() != ctx || ctx.Err() != nil || context.Cause(ctx) != nil {
				t.Errorf("%s: the context has ended, or is another one", row.at)
			}
			var got context.Context
			cancel := none
			if early {
				got, cancel = row.derive(ctx)
				if got.Err() != nil || context.Cause(got) != nil {
					t.Errorf("%s: the derived context has ended", row.at)
				}
			}
			s.Conn().Close(4001, "why")
			<-over
			if !early {
				got, cancel = row.derive(ctx)
			}
			row.check(got, t)
			cancel()
		}
	}
}

func TestContext_AfterFunc(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := open(t, &fakes.Handler{}, protocol.Limits{})
		var called []string
		note := func(s string) func() { return func() { called = append(called, s) } }
		context.AfterFunc(r.Conn().Context(), note("kept"))
		stop := context.AfterFunc(r.Conn().Context(), note("stopped"))
		if !stop() || stop() {
			t.Error("a function could not be stopped, or twice")
		}
		r.vanish()
		synctest.Wait()
		context.AfterFunc(r.Conn().Context(), note("late"))
		synctest.Wait()
		if len(called) != 2 || called[0] != "kept" || called[1] != "late" {
			t.Errorf("called: %v", called)
		}
	})
}

// TestContext_NoGoroutines checks that no goroutine waits for the end of the connection on
// behalf of a context, whatever is in between.
func TestContext_NoGoroutines(t *testing.T) {
	r := open(t, &fakes.Handler{}, protocol.Limits{})
	before := runtime.NumGoroutine()
	for range 100 {
		ctx, cancel := context.WithCancel(context.WithValue(r.Conn().Context(), contextKey{}, 1))
		t.Cleanup(cancel)
		context.AfterFunc(ctx, func() {})
	}
	if after := runtime.NumGoroutine(); after >= before+100 {
		t.Errorf("%d goroutines, before %d", after, before)
	}
	r.vanish()
}

// TestContext_EndsUnderRace has many goroutines ask for Done while the connection closes.
func TestContext_EndsUnderRace(t *testing.T) {
	t.Parallel()
	for range 200 {
		r := open(t, &fakes.Handler{}, protocol.Limits{})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				ctx := r.Conn().Context()
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), protocol.ErrClosed) || !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("ended with %v and %v", ctx.Err(), context.Cause(ctx))
				}
			})
		}
		all.Go(func() { r.Conn().Close(4000, "") })
		all.Wait()
		<-r.over
	}
}
