package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
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

var said = protocol.EventType[map[string]int]{Name: "said"}

// pass lets fake time go by.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// lonely is a handler that notices company, and out of order what is told it.
type lonely struct {
	t        *testing.T
	running  atomic.Int32
	calls    int            // unguarded on purpose: the race detector guards it
	messages []string       // likewise
	next     map[string]int // likewise: by sender of events
}

func (l *lonely) alone(f func()) {
	if l.running.Add(1) != 1 {
		l.t.Error("two callbacks run at once")
	}
	f()
	l.calls++
	runtime.Gosched()
	l.running.Add(-1)
}

func (l *lonely) Connect(context.Context, *protocol.Conn) error { l.alone(func() {}); return nil }

func (l *lonely) Receive(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
	l.alone(func() { l.messages = append(l.messages, m.Text()) })
	return nil
}

func (l *lonely) Event(_ context.Context, _ *protocol.Conn, e *protocol.Event) error {
	p, err := said.Payload(e)
	l.alone(func() {
		if from := fmt.Sprint(p["from"]); err != nil || p["n"] != l.next[from] {
			l.t.Errorf("event %v came out of order: %v", p, err)
		} else {
			l.next[from]++
		}
	})
	return err
}

func (l *lonely) Disconnect(context.Context, *protocol.Conn, protocol.CloseStatus) {
	l.alone(func() {})
}

// TestPromise1_CallbacksNeverOverlap calls from all sides at once, in real time,
// for the race detector.
func TestPromise1_CallbacksNeverOverlap(t *testing.T) {
	t.Parallel()
	const senders, each = 3, 200
	for _, scheduled := range []bool{false, true} {
		l := &lonely{t: t, next: map[string]int{}}
		w := &wire{}
		var tr protocol.Transport = w
		later := &goScheduler{wire: w}
		if scheduled {
			tr = later
		}
		app := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return l, nil })
		r := rigFor(tr, w, app, protocol.Limits{QueueEvents: senders * each, ReadAhead: 1 << 20})
		later.session = r.Session
		r.Open()
		var wg sync.WaitGroup
		for from := range senders {
			wg.Go(func() { postMany(t, r, from, each) })
		}
		wg.Go(func() {
			for n := range each {
				r.Receive(text(strconv.Itoa(n)))
			}
		})
		wg.Wait()
		r.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
		<-r.over
		if got, want := strings.Join(l.messages, " "), count(each); got != want {
			t.Errorf("the messages arrived as %s", got)
		}
		heard := l.next["0"] + l.next["1"] + l.next["2"]
		if dropped := int(r.counters.Stats().EventsDropped); heard+dropped != senders*each || l.calls != 2+each+heard {
			t.Errorf("%d events heard and %d dropped of %d; %d calls in all", heard, dropped, senders*each, l.calls)
		}
	}
}

func postMany(t *testing.T, r *rig, from, n int) {
	t.Helper()
	for i := range n {
		if err := r.Conn().Post(said.New(map[string]int{"from": from, "n": i})); err != nil {
			t.Error(err)
		}
	}
}

// count is the numbers below n.
func count(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strconv.Itoa(i)
	}
	return strings.Join(all, " ")
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
		h    func(report func(error)) *fakes.Handler
	}{
		{testkit.Here(), "Connect", func(report func(error)) *fakes.Handler {
			return &fakes.Handler{OnConnect: func(ctx context.Context, _ *protocol.Conn) error { report(wait(ctx)); return nil }}
		}},
		{testkit.Here(), "Connect after Accept", func(report func(error)) *fakes.Handler {
			return &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
				defer func() { report(wait(ctx)) }()
				return c.Accept(nil)
			}}
		}},
		{testkit.Here(), "Receive", func(report func(error)) *fakes.Handler {
			return &fakes.Handler{OnReceive: func(ctx context.Context, _ *protocol.Conn, _ protocol.Message) error { report(wait(ctx)); return nil }}
		}},
		{testkit.Here(), "Event", func(report func(error)) *fakes.Handler {
			return &fakes.Handler{OnEvent: func(ctx context.Context, _ *protocol.Conn, _ *protocol.Event) error { report(wait(ctx)); return nil }}
		}},
		{testkit.Here(), "Context", func(report func(error)) *fakes.Handler {
			return &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error { go func() { report(wait(c.Context())) }(); return nil }}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				causes := make(chan error, 1)
				r := newRig(test.h(func(err error) { causes <- err }), protocol.Limits{})
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
		r := newRigOn(&wire{accept: func() error { return errInternal }}, &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
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
		}}, protocol.Limits{})
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
		{testkit.Here(), protocol.NewRejectError(401, "who are you")},
		{testkit.Here(), errInternal},
		{testkit.Here(), protocol.NewCloseError(4001, "not you")},
	} {
		r := newRig(&fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return test.err }}, protocol.Limits{})
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
	r = newRig(&fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error {
		if yes, no := r.wire.answers(); yes+no > 0 {
			t.Errorf("the handshake was answered before Connect: %d, %d", yes, no)
		}
		return nil
	}}, protocol.Limits{})
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
			r = newRig(&fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
				e.end(r.Session)
				return test.connect(ctx, c)
			}}, protocol.Limits{})
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
