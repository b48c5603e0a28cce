package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/internal/subscription"
)

const timeout = 5 * time.Second

// fake is a driver's Subscribe: calls wait for an answer.
type fake struct {
	calls  []string
	answer chan error
}

func (f *fake) subscribe(ctx context.Context, add, drop []string) error {
	f.calls = append(f.calls, fmt.Sprint("+", add, " -", drop))
	select {
	case err := <-f.answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errRefused = errors.New("refused")

func TestRounds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		name string
		do   func(g *subscription.Groups, answer chan<- error)
		want []string
	}{
		{testkit.Here(), "what is wanted during a call is one call", func(g *subscription.Groups, answer chan<- error) {
			g.Want("a", true)
			synctest.Wait()
			g.Want("c", true)
			g.Want("b", true)
			g.Want("a", false)
			answer <- nil
			answer <- nil
		}, []string{"+[a] -[]", "+[b c] -[a]"}},
		{testkit.Here(), "the last Want holds", func(g *subscription.Groups, answer chan<- error) {
			g.Want("a", true)
			synctest.Wait()
			g.Want("b", true)
			g.Want("b", false)
			g.Want("a", false)
			g.Want("a", true)
			answer <- nil
		}, []string{"+[a] -[]"}},
		{testkit.Here(), "a failed group is added again", func(g *subscription.Groups, answer chan<- error) {
			g.Want("a", true)
			answer <- errRefused
			synctest.Wait()
			g.Want("a", true)
			answer <- nil
			synctest.Wait()
			g.Want("a", true)
		}, []string{"+[a] -[]", "+[a] -[]"}},
		{testkit.Here(), "a failed group is dropped", func(g *subscription.Groups, answer chan<- error) {
			g.Want("a", true)
			answer <- errRefused
			synctest.Wait()
			g.Want("a", false)
			answer <- nil
		}, []string{"+[a] -[]", "+[] -[a]"}},
		{testkit.Here(), "no call after Close", func(g *subscription.Groups, answer chan<- error) {
			g.Want("a", true)
			answer <- nil
			synctest.Wait()
			g.Close()
			if err := g.Want("b", true).Wait(context.Background()); !errors.Is(err, driver.ErrLayerClosed) {
				panic(err)
			}
			g.Want("a", false)
		}, []string{"+[a] -[]"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: make(chan error)}
				g := subscription.New(f.subscribe, timeout)
				row.do(g, f.answer)
				synctest.Wait()
				g.WaitIdle(t.Context())
				if !slices.Equal(f.calls, row.want) {
					t.Errorf("%s: the calls were %q, want %q", row.at, f.calls, row.want)
				}
			})
		})
	}
}

// TestACallIsBounded: a driver that does not answer fails the round, and the next one can
// succeed.
func TestACallIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: make(chan error, 1)}
		g := subscription.New(f.subscribe, timeout)
		start := time.Now()
		err := g.Want("a", true).Wait(t.Context())
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrDown) || took != timeout {
			t.Errorf("a call without an answer: %v after %v, want DeadlineExceeded after %v", err, took, timeout)
		}
		f.answer <- nil
		if err := g.Want("a", true).Wait(t.Context()); err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
}

func TestWaitEndsWithCtx(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: make(chan error)}
		g := subscription.New(f.subscribe, timeout)
		r := g.Want("a", true)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errRefused)
		if err := r.Wait(ctx); !errors.Is(err, errRefused) {
			t.Errorf("Wait returned %v, want the cause", err)
		}
		if over, err := r.Result(); over || err != nil {
			t.Errorf("the round has the result %t, %v before the driver has answered", over, err)
		}
		g.WaitIdle(ctx)
		f.answer <- driver.ErrDown
		synctest.Wait()
		if over, err := r.Result(); !over || !errors.Is(err, driver.ErrDown) {
			t.Errorf("the round has the result %t, %v", over, err)
		}
		var none *subscription.Round
		if over, err := none.Result(); !over || err != nil || none.Wait(t.Context()) != nil {
			t.Error("a nil Round has not succeeded")
		}
	})
}
