package protocol_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// goReturn is what a function of Conn.Go may end with.
type goReturn struct {
	at       testkit.Line
	f        func(ctx context.Context, c *protocol.Conn) error
	code     protocol.CloseCode // 0: it goes on
	reason   string
	failures int64
	panics   int64
}

func goReturns() []goReturn {
	return []goReturn{
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return nil }, 0, "", 0, 0},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return protocol.ErrDropped }, 0, "", 0, 0},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return protocol.NewCloseError(4001, "done") }, 4001, "done", 0, 0},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return errInternal }, 1011, "", 1, 0},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { panic(secret) }, 1011, "", 1, 1},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { runtime.Goexit(); return nil }, 1011, "", 1, 0},
		{testkit.Here(), func(ctx context.Context, c *protocol.Conn) error {
			_ = c.Go(func(context.Context) error { panic(secret) })
			<-ctx.Done()
			return context.Cause(ctx) // is the other one's panic, which is counted once
		}, 1011, "", 1, 1},
		{testkit.Here(), func(_ context.Context, c *protocol.Conn) error { c.Close(4002, ""); return errInternal }, 4002, "", 1, 0},
		{testkit.Here(), func(ctx context.Context, c *protocol.Conn) error { c.Close(4003, ""); return ctx.Err() }, 4003, "", 0, 0},
		{testkit.Here(), func(ctx context.Context, c *protocol.Conn) error { c.Close(4004, ""); return c.Send(ctx, text("x")) }, 4004, "", 0, 0},
	}
}

// TestGo_Returns: what a goroutine returns means what it means in a callback.
func TestGo_Returns(t *testing.T) {
	t.Parallel()
	for _, test := range goReturns() {
		for _, accepted := range []bool{true, false} { // when it returns
			synctest.Test(t, func(t *testing.T) { test.run(t, accepted) })
		}
	}
}

func (test *goReturn) run(t *testing.T, accepted bool) {
	t.Helper()
	var told []protocol.CloseStatus
	r := newRig(&fakes.Handler{
		OnConnect: func(_ context.Context, c *protocol.Conn) error {
			err := c.Go(func(ctx context.Context) error {
				if accepted {
					pass(time.Second)
				}
				return test.f(ctx, c)
			})
			if !accepted {
				pass(time.Second)
			}
			return err
		},
		OnDisconnect: func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) { told = append(told, s) },
	}, protocol.Limits{})
	opened := r.Open()
	pass(time.Minute)
	synctest.Wait()
	test.checkEnd(t, r, opened, told)
	if opened != (accepted || test.code == 0) {
		t.Errorf("%s: accepted: %v", test.at, opened)
	}
	stacks := int64(len(r.logs.having("stack")))
	if st := r.counters.Stats(); st.Failures != test.failures || st.Panics != test.panics || stacks != test.panics {
		t.Errorf("%s: counted %+v, logged %d stacks", test.at, st, stacks)
	}
	if r.Conn().Context().Err() == nil {
		r.vanish()
	}
	<-r.over
}

// checkEnd checks what the peer and Disconnect were told.
func (test *goReturn) checkEnd(t *testing.T, r *rig, opened bool, told []protocol.CloseStatus) {
	t.Helper()
	switch {
	case opened && test.code == 0 && len(told) == 0:
	case opened:
		if len(told) != 1 || told[0].Code != test.code || told[0].Reason != test.reason || told[0].Remote {
			t.Errorf("%s: Disconnect was told %+v", test.at, told)
		}
	default:
		want := 403
		if test.code == protocol.CloseInternalError {
			want = 500
		}
		if no := r.wire.rejection(t); no.Status != want || strings.Contains(no.Body, secret) {
			t.Errorf("%s: refused with %+v, want %d", test.at, no, want)
		}
	}
}

// TestGo_End: the ctx of a goroutine ends with the connection, and Disconnect and the
// deferred functions wait for it, for ten seconds.
func TestGo_End(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at        testkit.Line
		lingers   []time.Duration // after the end
		took      time.Duration   // until Disconnect
		abandoned int64
	}{
		{testkit.Here(), nil, 0, 0},
		{testkit.Here(), []time.Duration{0}, 0, 0},
		{testkit.Here(), []time.Duration{time.Second, 3 * time.Second}, 3 * time.Second, 0},
		{testkit.Here(), []time.Duration{9999 * time.Millisecond}, 9999 * time.Millisecond, 0},
		{testkit.Here(), []time.Duration{time.Second, time.Minute}, 10 * time.Second, 1},
		{testkit.Here(), []time.Duration{time.Minute, time.Minute, 2 * time.Minute}, 10 * time.Second, 3},
	} {
		for _, end := range []func(r *rig){
			func(r *rig) { r.Conn().Close(4000, "") },
			func(r *rig) { r.Ended(peersEnd) },
		} {
			synctest.Test(t, func(t *testing.T) {
				var began time.Time
				var took, left time.Duration
				running := 0 // no lock: Disconnect may use what the goroutines have used
				h := &fakes.Handler{OnDisconnect: func(ctx context.Context, _ *protocol.Conn, _ protocol.CloseStatus) {
					took = time.Since(began)
					until, _ := ctx.Deadline()
					left = time.Until(until)
					if test.abandoned == 0 && running != 0 {
						t.Errorf("%s: %d goroutines run beside Disconnect", test.at, running)
					}
				}}
				r := open(t, h, protocol.Limits{})
				var mu sync.Mutex
				for _, d := range test.lingers {
					if err := r.Conn().Go(func(ctx context.Context) error {
						mu.Lock()
						running++
						mu.Unlock()
						<-ctx.Done()
						pass(d)
						mu.Lock()
						running--
						mu.Unlock()
						return context.Cause(ctx)
					}); err != nil {
						t.Error(err)
					}
				}
				synctest.Wait()
				began = time.Now()
				end(r)
				<-r.over
				pass(time.Hour)
				st := r.counters.Stats()
				if took != test.took || left != 10*time.Second || st.GoroutinesAbandoned != test.abandoned || st.Failures != 0 {
					t.Errorf("%s: Disconnect came after %v and had %v; counted %+v", test.at, took, left, st)
				}
				if lines := len(r.logs.having("running")); (lines == 1) != (test.abandoned > 0) || lines != r.logs.count() {
					t.Errorf("%s: logged %d lines", test.at, r.logs.count())
				}
			})
		}
	}
}

// TestGo_Refused: too many, or too late, are not called.
func TestGo_Refused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := func(ctx context.Context) error { t.Error("was called"); return ctx.Err() }
		lasts := func(ctx context.Context) error { <-ctx.Done(); return nil }
		var after []error
		r := newRig(&fakes.Handler{
			OnConnect: func(_ context.Context, c *protocol.Conn) error {
				return errors.Join(c.Go(lasts), c.Go(lasts))
			},
			OnDisconnect: func(_ context.Context, c *protocol.Conn, _ protocol.CloseStatus) {
				after = append(after, c.Go(never))
				c.Defer(func() { after = append(after, c.Go(never)) })
			},
		}, protocol.Limits{Goroutines: 3})
		r.Open()
		c, stop := r.Conn(), make(chan struct{})
		if err := c.Go(func(context.Context) error { <-stop; return nil }); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := c.Go(never); !errors.Is(err, protocol.ErrTooMany) || protocol.CloseStatusOf(err).Code != protocol.ClosePolicyViolation {
				t.Errorf("one too many: %v", err)
			}
		}
		close(stop)
		synctest.Wait()
		if err := c.Go(lasts); err != nil {
			t.Errorf("one has returned, and there is no room: %v", err)
		}
		r.Ended(peersEnd)
		<-r.over
		var ce *protocol.CloseError
		for _, err := range append(after, c.Go(never)) {
			if !errors.Is(err, protocol.ErrClosed) || !errors.As(err, &ce) || ce.Code != peersEnd.Code {
				t.Errorf("after the end: %v", err)
			}
		}
		if st := r.counters.Stats(); st.GoroutinesRefused != 2 || len(after) != 2 {
			t.Errorf("counted %+v, tried %d times", st, len(after))
		}
		defer func() {
			if recover() == nil {
				t.Error("a nil function does not panic")
			}
		}()
		_ = c.Go(nil)
	})
}

// TestGo_InAConnectThatRefuses: the goroutine is waited for before the groups are
// left, which is what deferred functions do; the answer is not.
func TestGo_InAConnectThatRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := false
		began := time.Now()
		r := newRig(&fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
			c.Defer(func() {
				if !gone {
					t.Error("the deferred function did not wait")
				}
			})
			_ = c.Go(func(ctx context.Context) error {
				<-ctx.Done()
				pass(time.Second)
				gone = true
				return nil
			})
			return protocol.NewRejectError(401, "")
		}}, protocol.Limits{})
		if r.Open() || time.Since(began) != 0 || r.wire.rejection(t).Status != 401 {
			t.Errorf("refused after %v", time.Since(began))
		}
		<-r.over
		if took := time.Since(began); took != time.Second {
			t.Errorf("over after %v", took)
		}
	})
}

// TestGo_Race: goroutines are started from everywhere while the connection ends. Each
// is either refused, or has returned when Disconnect runs.
func TestGo_Race(t *testing.T) {
	t.Parallel()
	for i := range 200 {
		var refused, started atomic.Int64
		var late atomic.Bool // Disconnect has run
		r := open(t, &fakes.Handler{OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) {
			late.Store(true)
		}}, protocol.Limits{Goroutines: 1000})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 20 {
					err := r.Conn().Go(func(ctx context.Context) error {
						if started.Add(1)%7 == 0 {
							runtime.Gosched()
						}
						if late.Load() {
							t.Error("it runs beside Disconnect")
						}
						return ctx.Err()
					})
					if err != nil {
						refused.Add(1)
					}
				}
			})
		}
		if i%2 == 0 {
			runtime.Gosched()
		}
		go r.Ended(peersEnd)
		go r.Conn().Close(4000, "")
		<-r.over
		all.Wait()
		if n := started.Load() + refused.Load(); n != 160 {
			t.Errorf("%d of 160 accounted for", n)
		}
	}
}

// TestGo_OnALoop: nobody waits on the loop's goroutine.
func TestGo_OnALoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, later := newLaterRig(&fakes.Handler{}, protocol.Limits{})
		r.Open()
		_ = r.Conn().Go(func(ctx context.Context) error { <-ctx.Done(); pass(time.Second); return nil })
		r.Ended(peersEnd)
		began := time.Now()
		later.loop()
		if took := time.Since(began); took != 0 {
			t.Errorf("the loop was held up for %v", took)
		}
		later.turn()
		<-r.over
		if took := time.Since(began); took != time.Second {
			t.Errorf("over after %v", took)
		}
	})
}

// TestGo_FinalContext: when all messages that the peer had sent are handled, Disconnect
// waits for a function that waits for more of them in a FinalContext; neither has to wait
// for FinalTime.
func TestGo_FinalContext(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} { // it asks for the context before they are handled, or afterwards
		synctest.Test(t, func(t *testing.T) {
			handled := 0
			r := open(t, &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
				pass(100 * time.Millisecond)
				handled++
				return nil
			}}, protocol.Limits{})
			c := r.Conn()
			_ = c.Go(func(ctx context.Context) error {
				<-ctx.Done()
				if !early {
					pass(time.Second)
				}
				<-c.FinalContext().Done()
				return nil
			})
			go r.Receive(text("one"))
			synctest.Wait()
			r.Receive(text("two"))
			began, want := time.Now(), 200*time.Millisecond
			if !early {
				want = time.Second
			}
			r.Ended(peersEnd)
			<-r.over
			if took := time.Since(began); took != want || handled != 2 {
				t.Errorf("asked early: %t: over after %v, %d handled", early, took, handled)
			}
		})
	}
}
