package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

//nolint:gochecknoglobals // declared as programs declare theirs
var said = protocol.EventType[map[string]int]{Name: "said"}

// pass lets fake time go by.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// TestPromise1_CallbacksNeverOverlap calls from all sides at once, in real time,
// for the race detector.
func TestPromise1_CallbacksNeverOverlap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		make func(*wire) protocol.Transport
	}{
		{testkit.Here(), func(w *wire) protocol.Transport { return w }},
		{testkit.Here(), func(w *wire) protocol.Transport { return goScheduler{w} }},
	} {
		var running atomic.Int32
		unguarded, messages, events := 0, []string{}, map[string]int{}
		alone := func(f func()) error {
			if running.Add(1) != 1 {
				t.Errorf("%s: two callbacks run at once", test.at)
			}
			f()
			runtime.Gosched()
			running.Add(-1)
			return nil
		}
		h := &calls{
			connect: func(context.Context, *protocol.Conn) error { return alone(func() { unguarded++ }) },
			receive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
				return alone(func() { messages = append(messages, m.Text()) })
			},
			event: func(_ context.Context, _ *protocol.Conn, e *protocol.Event) error {
				return alone(func() {
					p, err := said.Payload(e)
					if err != nil || p["k"] != events[fmt.Sprint(p["i"])] {
						t.Errorf("%s: event %v came out of order: %v", test.at, p, err)
					}
					events[fmt.Sprint(p["i"])]++
				})
			},
			disconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { _ = alone(func() { unguarded++ }) },
		}
		w := &wire{}
		r := rigFor(test.make(w), w, h.app(), protocol.Limits{QueueEvents: 10000, ReadAhead: 1 << 20})
		if !r.Open() {
			t.Fatalf("%s: refused", test.at)
		}
		const each = 200
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				for k := range each {
					if err := r.Conn().Post(said.New(map[string]int{"i": i, "k": k})); err != nil {
						t.Errorf("%s: %v", test.at, err)
					}
				}
			})
		}
		wg.Go(func() {
			for k := range each {
				r.Receive(text(fmt.Sprint(k)))
			}
		})
		wg.Wait()
		idle := make(chan struct{})
		r.Conn().Defer(func() { close(idle) })
		r.Receive(text("end"))
		r.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
		<-idle
		<-r.over
		if len(messages) != each+1 || messages[each] != "end" || !slices.IsSortedFunc(messages[:each], func(a, b string) int { return atoi(a) - atoi(b) }) {
			t.Errorf("%s: the messages arrived as %v", test.at, messages)
		}
		st := r.counters.Stats()
		if got := int64(events["0"]+events["1"]+events["2"]) + st.EventsDropped; got != 3*each || unguarded != 2 {
			t.Errorf("%s: events %v and %d dropped, want %d; %d of Connect and Disconnect", test.at, events, st.EventsDropped, 3*each, unguarded)
		}
	}
}

func atoi(s string) (n int) {
	_, err := fmt.Sscan(s, &n)
	if err != nil {
		return -1
	}
	return n
}

func TestPromise1_ContextEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for _, test := range []struct {
		at   testkit.Line
		name string
		h    func(report func(error)) *calls
	}{
		{testkit.Here(), "Connect", func(report func(error)) *calls {
			return &calls{connect: func(ctx context.Context, _ *protocol.Conn) error { report(wait(ctx)); return nil }}
		}},
		{testkit.Here(), "Connect after Accept", func(report func(error)) *calls {
			return &calls{connect: func(ctx context.Context, c *protocol.Conn) error {
				defer func() { report(wait(ctx)) }()
				return c.Accept(nil)
			}}
		}},
		{testkit.Here(), "Receive", func(report func(error)) *calls {
			return &calls{receive: func(ctx context.Context, _ *protocol.Conn, _ protocol.Message) error { report(wait(ctx)); return nil }}
		}},
		{testkit.Here(), "Event", func(report func(error)) *calls {
			return &calls{event: func(ctx context.Context, _ *protocol.Conn, _ *protocol.Event) error { report(wait(ctx)); return nil }}
		}},
		{testkit.Here(), "Context", func(report func(error)) *calls {
			return &calls{connect: func(_ context.Context, c *protocol.Conn) error { go func() { report(wait(c.Context())) }(); return nil }}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				causes := make(chan error, 1)
				r := newRig(test.h(func(err error) { causes <- err }).app(), protocol.Limits{})
				go r.Open()
				synctest.Wait()
				if test.name == "Event" {
					if err := r.Conn().Post(said.New(nil)); err != nil {
						t.Fatalf("%s: %v", test.at, err)
					}
				} else {
					go r.Receive(text("x"))
				}
				synctest.Wait()
				if len(causes) > 0 {
					t.Fatalf("%s: the ctx had ended before the connection: %v", test.at, <-causes)
				}
				r.Ended(protocol.CloseStatus{Code: 4321, Reason: "gone", Remote: true})
				<-r.over
				var ce *protocol.CloseError
				if err := <-causes; !errors.As(err, &ce) || ce.Code != 4321 || ce.Reason != "gone" || !ce.Remote {
					t.Errorf("%s: the cause is %v, want the peer's close", test.at, err)
				}
			})
		})
	}
}

// TestPromise1_ContextEndsWhenTheAnswerFails: a connection that could not be
// accepted is over, though Connect still runs.
func TestPromise1_ContextEndsWhenTheAnswerFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		noticed := false
		r := newRigOn(&wire{accept: func() error { return errInternal }}, (&calls{connect: func(ctx context.Context, c *protocol.Conn) error {
			if err := c.Accept(nil); !errors.Is(err, errInternal) {
				t.Errorf("Accept returned %v", err)
			}
			timer := time.NewTimer(time.Minute)
			defer timer.Stop()
			select {
			case <-ctx.Done():
				noticed = true
			case <-timer.C:
			}
			return nil
		}}).app(), protocol.Limits{})
		r.Open()
		if !noticed {
			t.Error("Connect went on for a connection that had failed: its ctx never ended")
		}
	})
}

// TestContextOfARefusedConnection: Conn.Context promises a *CloseError as the
// cause, and Conn.Send one as the error, however the connection ended.
func TestContextOfARefusedConnection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at  testkit.Line
		err error
	}{
		{testkit.Here(), protocol.Reject(401, "who are you")},
		{testkit.Here(), errInternal},
		{testkit.Here(), protocol.Close(4001, "not you")},
	} {
		r := newRig((&calls{connect: func(context.Context, *protocol.Conn) error { return test.err }}).app(), protocol.Limits{})
		r.Open()
		<-r.Conn().Context().Done()
		var ce *protocol.CloseError
		cause := context.Cause(r.Conn().Context())
		if !errors.As(cause, &ce) || !errors.Is(cause, test.err) {
			t.Errorf("%s: the cause is %T %v, want a *CloseError because of %v", test.at, cause, cause, test.err)
		}
		if err := r.Conn().Send(t.Context(), text("x")); !errors.As(err, &ce) || !errors.Is(err, protocol.ErrClosed) {
			t.Errorf("%s: Send returned %T %v, want a *CloseError", test.at, err, err)
		}
	}
}

func TestPromise2_ConnectDecidesTheAnswer(t *testing.T) {
	t.Parallel()
	var r *rig
	r = newRig((&calls{connect: func(context.Context, *protocol.Conn) error {
		if yes, no := r.wire.answers(); yes+no > 0 {
			t.Errorf("the handshake was answered before Connect: %d, %d", yes, no)
		}
		return nil
	}}).app(), protocol.Limits{})
	if !r.Open() {
		t.Fatal("refused")
	}
	if yes, no := r.wire.answers(); yes != 1 || no != 0 {
		t.Errorf("answered %d times with yes and %d times with no", yes, no)
	}
	r.vanish()
}

// TestPromise2_EndBeforeTheAnswerRefuses: a Close in time decides, whatever
// Connect makes of it.
func TestPromise2_EndBeforeTheAnswerRefuses(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		end    func(s *protocol.Session)
		status int
	}{
		"shutdown": {func(s *protocol.Session) { s.Conn().Close(protocol.CloseGoingAway, "restart") }, http.StatusServiceUnavailable},
		"busy":     {func(s *protocol.Session) { s.Conn().Close(protocol.CloseTryAgainLater, "") }, http.StatusServiceUnavailable},
		"close":    {func(s *protocol.Session) { s.Conn().Close(4001, "not you") }, http.StatusForbidden},
		"vanished": {func(s *protocol.Session) { s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal}) }, http.StatusForbidden},
	}
	for _, test := range []struct {
		at      testkit.Line
		connect func(ctx context.Context, c *protocol.Conn) error
	}{
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return nil }},
		{testkit.Here(), func(ctx context.Context, _ *protocol.Conn) error { <-ctx.Done(); return ctx.Err() }},
		{testkit.Here(), func(ctx context.Context, _ *protocol.Conn) error { <-ctx.Done(); return context.Cause(ctx) }},
		{testkit.Here(), func(_ context.Context, c *protocol.Conn) error { return c.Accept(nil) }},
		{testkit.Here(), func(_ context.Context, c *protocol.Conn) error {
			if err := c.Accept(nil); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("Accept after the end returned %v", err)
			}
			return nil
		}},
	} {
		for name, e := range ends {
			var r *rig
			r = newRig((&calls{connect: func(ctx context.Context, c *protocol.Conn) error {
				e.end(r.Session)
				return test.connect(ctx, c)
			}}).app(), protocol.Limits{})
			if r.Open() {
				t.Errorf("%s: %s: accepted", test.at, name)
				r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
			} else if got := r.wire.rejection(t); got.Status != e.status {
				t.Errorf("%s: %s: refused with %d %q, want %d", test.at, name, got.Status, got.Body, e.status)
			} else if n := r.logs.count(); n != 0 {
				t.Errorf("%s: %s: %d lines were logged, though nothing is wrong", test.at, name, n)
			}
			<-r.over
			if yes, _ := r.wire.answers(); yes != 0 || r.wire.closes() != 0 {
				t.Errorf("%s: %s: accepted %d times, closed %d times", test.at, name, yes, r.wire.closes())
			}
		}
	}
}
