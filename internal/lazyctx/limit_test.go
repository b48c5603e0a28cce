package lazyctx_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/testkit"
)

// TestLimit starts calls at many times, and checks when their contexts end.
func TestLimit(t *testing.T) {
	t.Parallel()
	const least = timeout - timeout/50
	for _, row := range []struct {
		at     testkit.Line
		name   string
		parent context.Context //nolint:containedctx // of the calls
	}{
		{testkit.Here(), "background", context.Background()},
		{testkit.Here(), "values", context.WithValue(context.Background(), key{}, "parent")},
		{testkit.Here(), "without cancel", context.WithoutCancel(context.WithValue(t.Context(), key{}, "parent"))},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := lazyctx.NewLimit(timeout)
				var calls sync.WaitGroup
				for range 500 {
					calls.Go(func() {
						start := time.Now()
						ctx, release := l.Context(row.parent)
						defer release()
						until, ok := ctx.Deadline()
						<-ctx.Done()
						took := time.Since(start)
						if took < least || took > timeout || !ok || !until.Equal(time.Now()) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
							t.Errorf("%s: the context ended after %v with %v, want DeadlineExceeded after %v", row.at, took, ctx.Err(), timeout)
						}
						if got, want := ctx.Value(key{}), row.parent.Value(key{}); got != want {
							t.Errorf("%s: the value is %v, want %v", row.at, got, want)
						}
					})
					time.Sleep(timeout / 300) //nolint:forbidigo // in a bubble
				}
				calls.Wait()
			})
		})
	}
}

// TestLimitIsShared: calls without a context that ends make no timer of their own, and a release
// does not end the others.
func TestLimitIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := lazyctx.NewLimit(timeout)
		a, release := l.Context(context.Background())
		release()
		b, releaseB := l.Context(context.Background())
		defer releaseB()
		if a != b || b.Err() != nil {
			t.Errorf("the contexts are %v and %v, want the same one, which has not ended", a, b)
		}
		c, releaseC := l.Context(context.WithValue(context.Background(), key{}, "parent"))
		defer releaseC()
		if c.Done() != a.Done() {
			t.Error("a context with values does not end with the others")
		}
		derived, cancel := context.WithCancel(c)
		defer cancel()
		called := make(chan struct{})
		context.AfterFunc(c, func() { close(called) })
		<-derived.Done()
		<-called
		if !errors.Is(derived.Err(), context.DeadlineExceeded) || derived.Value(key{}) != "parent" {
			t.Errorf("the derived context has ended with %v", derived.Err())
		}
	})
}

// TestLimitOfContextThatEnds: the caller's context counts.
func TestLimitOfContextThatEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := lazyctx.NewLimit(timeout)
		parent, cancel := context.WithCancelCause(context.Background())
		ctx, release := l.Context(parent)
		defer release()
		cancel(errCause)
		<-ctx.Done()
		if got := context.Cause(ctx); !errors.Is(got, errCause) {
			t.Errorf("the cause is %v, want %v", got, errCause)
		}
		ctx, release = l.Context(context.WithoutCancel(parent))
		defer release()
		if ctx.Err() != nil {
			t.Errorf("the context has ended with %v", ctx.Err())
		}
	})
}

func BenchmarkLimit(b *testing.B) {
	l := lazyctx.NewLimit(timeout)
	for name, parent := range map[string]context.Context{"background": context.Background(), "cancelable": b.Context()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ctx, release := l.Context(parent)
				_ = ctx.Done()
				release()
			}
		})
	}
}
