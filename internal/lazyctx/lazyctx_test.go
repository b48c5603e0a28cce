package lazyctx_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

type key struct{}

var errCause = errors.New("the cause")

const timeout = time.Minute

// pair is a lazy context, and one of package context that was made in the same way.
type pair struct {
	lazy       *lazyctx.Context
	want       context.Context //nolint:containedctx // it is what is tested
	cancelWant func(error)
	derived    [2]context.Context
	after      [2]atomic.Int32 // calls by context.AfterFunc
}

func newPair(parent context.Context, bounded bool) *pair {
	if !bounded {
		want, cancel := context.WithCancelCause(parent)
		return &pair{lazy: lazyctx.New(parent), want: want, cancelWant: cancel}
	}
	inner, cancel := context.WithCancelCause(parent)
	want, release := context.WithTimeout(inner, timeout)
	return &pair{lazy: lazyctx.WithTimeout(parent, timeout), want: want, cancelWant: func(err error) {
		cancel(err)
		release()
	}}
}

// operations are what a test does with both contexts, or their parent.
func operations(p *pair, endParent func()) map[string]func() {
	return map[string]func(){
		"cancel":        func() { p.lazy.Cancel(errCause); p.cancelWant(errCause) },
		"cancel by nil": func() { p.lazy.Cancel(nil); p.cancelWant(nil) },
		"end parent":    endParent,
		"time":          func() { time.Sleep(timeout) }, //nolint:forbidigo // in a bubble
		"ask":           func() { _ = p.lazy.Err() },    // it may note the end
		"wait":          func() { _ = p.lazy.Done() },
		"derive": func() {
			for i, c := range []context.Context{p.lazy, p.want} {
				p.derived[i] = context.WithValue(c, key{}, "derived") //nolint:fatcontext // of two contexts
				context.AfterFunc(c, func() { p.after[i].Add(1) })
			}
		},
	}
}

// check compares the two contexts.
func (p *pair) check(t *testing.T, history []string) {
	t.Helper()
	synctest.Wait()
	until, bounded := p.lazy.Deadline()
	wantUntil, wantBounded := p.want.Deadline()
	if !until.Equal(wantUntil) || bounded != wantBounded {
		t.Fatalf("after %q: the deadline is %v, %v, want %v, %v", history, until, bounded, wantUntil, wantBounded)
	}
	for _, c := range [][2]context.Context{{p.lazy, p.want}, p.derived} {
		if c[0] == nil {
			continue
		}
		if got, want := context.Cause(c[0]), context.Cause(c[1]); got != want { //nolint:errorlint,err113 // these very values
			t.Fatalf("after %q: the cause is %v, want %v", history, got, want)
		}
		if got, want := c[0].Err(), c[1].Err(); got != want { //nolint:errorlint,err113 // these very values
			t.Fatalf("after %q: got %v, want %v", history, got, want)
		}
	}
	if called, want := p.after[0].Load(), p.after[1].Load(); called != want || p.lazy.Value(key{}) != "parent" {
		t.Fatalf("after %q: %d calls by AfterFunc, want %d; the value is %v", history, called, want, p.lazy.Value(key{}))
	}
	if got, want := isDone(p.lazy), p.want.Err() != nil; history[len(history)-1] == "wait" && got != want {
		t.Fatalf("after %q: done is %v, want %v", history, got, want)
	}
}

func isDone(c context.Context) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// TestLikePackageContext does the same with a lazy context and with one of package
// context, in random orders, and compares them.
func TestLikePackageContext(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			parent, endParent := context.WithCancelCause(context.WithValue(t.Context(), key{}, "parent"))
			defer endParent(nil)
			p := newPair(parent, rnd.IntN(2) == 0)
			ops := operations(p, func() { endParent(errors.New("the parent's cause")) })
			names := []string{"cancel", "cancel by nil", "end parent", "time", "ask", "ask", "wait", "derive"}
			var history []string
			for range 4 {
				name := names[rnd.IntN(len(names))]
				history = append(history, name)
				ops[name]()
				p.check(t, history)
			}
			p.lazy.Cancel(nil)
			p.cancelWant(nil)
		})
	}
}

// TestWaiters: whoever waits when a context ends in different ways sees one end, however
// many do so at once.
func TestWaiters(t *testing.T) {
	t.Parallel()
	for range 200 {
		parent, endParent := context.WithCancel(t.Context())
		c := lazyctx.WithTimeout(parent, time.Microsecond)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				<-c.Done()
				first := c.Err()
				if first == nil || c.Err() != first { //nolint:errorlint,err113 // these very values
					t.Errorf("ended with %v and then with %v", first, c.Err())
				}
			})
		}
		all.Go(func() { c.Cancel(errCause) })
		all.Go(endParent)
		all.Wait()
	}
}

// TestAlloc: a context that nobody waits for is one allocation.
func TestAlloc(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	parent, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := testing.AllocsPerRun(100, func() {
		c := lazyctx.WithTimeout(parent, time.Minute)
		if c.Err() != nil || c.Value(key{}) != nil {
			t.Error("ended, or has a value")
		}
		c.Cancel(errCause)
	})
	if got != 1 {
		t.Errorf("%v allocations, want 1", got)
	}
}
