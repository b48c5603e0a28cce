package protocol_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// patience is how long a test waits, in real time, before it calls something a
// deadlock. A mutex is not a thing that synctest sees through.
const patience = 20 * time.Second

func (r *rig) awaitOver(t *testing.T, at testkit.Line, what string) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-r.over:
	case <-late.C:
		buf := make([]byte, 1<<16)
		t.Fatalf("%s: %s: deadlock\n%s", at, what, buf[:runtime.Stack(buf, true)])
	}
}

// everything calls every method of a Conn.
func everything(c *protocol.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.Send(ctx, text("x"))
	_ = c.SendPrepared(ctx, protocol.Prepare(text("x")))
	_ = c.Offer(protocol.Prepare(text("x")))
	_ = c.Post(said.New(nil))
	_ = c.Context().Err()
	_ = c.Traffic()
	_ = c.Limit(protocol.Limits{MaxMessage: 1})
	_ = c.Accept(nil)
	c.Answered(func(*protocol.RejectError) { _ = c.Traffic() })
	c.Defer(func() { _ = c.Context().Err() })
	c.Close(4001, "everything")
	c.CloseWith(errInternal)
}

// chatty is a slog.Handler that uses the connection that it hears of: loggers
// are the user's code.
type chatty struct {
	logs
	conn  atomic.Pointer[protocol.Conn]
	depth atomic.Int32
}

func (l *chatty) WithAttrs([]slog.Attr) slog.Handler { return l }

//nolint:gocritic // the signature is slog's
func (l *chatty) Handle(ctx context.Context, r slog.Record) error {
	if c := l.conn.Load(); c != nil && l.depth.Add(1) < 5 { // what it does is logged as well
		everything(c)
		c.Close(protocol.CloseNoStatus, "is logged")
	}
	return l.logs.Handle(ctx, r)
}

func TestPromise10_NoUserCodeUnderLock(t *testing.T) {
	t.Parallel()
	for _, policy := range []protocol.Overflow{protocol.OverflowClose, protocol.OverflowDropNewest, protocol.OverflowBlock} {
		for _, test := range []struct {
			at    testkit.Line
			where string
		}{
			{testkit.Here(), "Connect"},
			{testkit.Here(), "Connect after Accept"},
			{testkit.Here(), "Connect refusing"},
			{testkit.Here(), "Receive"},
			{testkit.Here(), "Event"},
			{testkit.Here(), "Disconnect"},
			{testkit.Here(), "Answered"},
			{testkit.Here(), "Answered refusing"},
			{testkit.Here(), "Defer"},
			{testkit.Here(), "panicking"},
			{testkit.Here(), "nowhere"}, // only the logger and the scheduler do
		} {
			r := reentrant(test.where, policy)
			go func() {
				r.Open()
				_ = r.Conn().Post(said.New(nil))
				r.Receive(text("x"))
				r.Resume(func() { everything(r.Conn()) })
				r.Conn().Close(protocol.CloseNoStatus, "is logged")
				r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
			}()
			r.awaitOver(t, test.at, test.where)
		}
	}
}

// reentrant is a connection whose user code calls everything in one place.
func reentrant(where string, policy protocol.Overflow) *rig {
	in := func(place string, c *protocol.Conn) {
		if place == where {
			everything(c)
		}
	}
	h := &fakes.Handler{
		OnConnect: func(_ context.Context, c *protocol.Conn) error {
			c.Defer(func() { in("Defer", c) })
			c.Answered(func(*protocol.RejectError) { in("Answered", c); in("Answered refusing", c) })
			if where == "Connect after Accept" {
				_ = c.Accept(nil)
			}
			in("Connect", c)
			in("Connect after Accept", c)
			switch where {
			case "Connect refusing":
				everything(c)
				return errInternal
			case "Answered refusing":
				return errInternal
			}
			return nil
		},
		OnReceive: func(_ context.Context, c *protocol.Conn, _ protocol.Message) error {
			in("Receive", c)
			if where == "panicking" {
				everything(c)
				panic(errInternal)
			}
			return nil
		},
		OnEvent:      func(_ context.Context, c *protocol.Conn, _ *protocol.Event) error { in("Event", c); return nil },
		OnDisconnect: func(_ context.Context, c *protocol.Conn, _ protocol.CloseStatus) { in("Disconnect", c) },
	}
	log := &chatty{}
	r := &rig{wire: &wire{send: func(protocol.Message) error { return protocol.ErrQueueFull }}, over: make(chan struct{}), counters: &protocol.Counters{}}
	r.scope = protocol.NewScope("websocket", request())
	r.Session = protocol.NewSession(context.Background(), h, r.scope, r.wire, &protocol.SessionOptions{
		Limits: protocol.Limits{Overflow: policy, QueueEvents: 1}, Logger: slog.New(log), Counters: r.counters,
	})
	r.Conn().Defer(func() { close(r.over) })
	log.conn.Store(r.Conn())
	return r
}

// TestFirstEndWinsWhileAnswering: an end that came while the transport was
// answering is the first, and a Close as the connection opens comes after it.
func TestFirstEndWinsWhileAnswering(t *testing.T) {
	t.Parallel()
	for range 50 {
		var r *rig
		var told protocol.CloseStatus
		stop, closing := make(chan struct{}), sync.WaitGroup{}
		w := &wire{}
		w.accept = func() error {
			r.Ended(protocol.CloseStatus{Code: 4000, Reason: "first", Remote: true})
			closing.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						r.Conn().Close(4001, "second")
					}
				}
			})
			runtime.Gosched()
			return nil
		}
		r = newRigOn(w, &fakes.Handler{OnDisconnect: func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) { told = s }}, protocol.Limits{})
		r.Open()
		r.awaitOver(t, testkit.Here(), "ended while answering")
		close(stop)
		closing.Wait()
		if told.Code != 4000 || !told.Remote || w.closes() != 0 {
			t.Fatalf("Disconnect was told %v %q, and the transport was told %d times to close: the second end has won", told.Code, told.Reason, w.closes())
		}
	}
}

// TestFullBeforeTheAnswerIsNotSlow: a send that finds too much waiting before the
// answer says nothing about the peer, also if the connection opens meanwhile.
func TestFullBeforeTheAnswerIsNotSlow(t *testing.T) {
	t.Parallel()
	for range 100 {
		var wg sync.WaitGroup
		h := &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
			err := c.Send(ctx, text("first")) // one always fits; another does not
			began := make(chan struct{})
			wg.Go(func() {
				close(began)
				for err := protocol.ErrQueueFull; errors.Is(err, protocol.ErrQueueFull); {
					if err = c.Send(ctx, text("x")); errors.Is(err, protocol.ErrSlow) {
						t.Error("the connection was closed as slow, though its transport never was full")
					}
				}
			})
			<-began
			return err
		}}
		r := newRig(h, protocol.Limits{QueueBytes: 1})
		r.Open()
		wg.Wait()
		r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		r.awaitOver(t, testkit.Here(), "full before the answer")
		if t.Failed() {
			return
		}
	}
}

// TestTransportThatKnowsIsNotToldToClose: Transport.Close comes not at all after
// Session.Ended, also if we had wanted to close before.
func TestTransportThatKnowsIsNotToldToClose(t *testing.T) {
	t.Parallel()
	var r *rig
	var told protocol.CloseStatus
	w := &wire{}
	w.accept = func() error {
		r.Conn().Close(4001, "first")
		r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		return nil
	}
	r = newRigOn(w, &fakes.Handler{OnDisconnect: func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) { told = s }}, protocol.Limits{})
	r.Open()
	<-r.over
	if w.closes() != 0 || told.Code != 4001 {
		t.Errorf("the transport was told %d times to close, Disconnect was told %v", w.closes(), told.Code)
	}
}

// TestEndsFromAllSides races every way to end an open connection, in real time,
// for the race detector.
func TestEndsFromAllSides(t *testing.T) {
	t.Parallel()
	for range 100 {
		var ends atomic.Int32
		h := &fakes.Handler{
			OnReceive:    func(context.Context, *protocol.Conn, protocol.Message) error { return errInternal },
			OnEvent:      func(context.Context, *protocol.Conn, *protocol.Event) error { panic(errInternal) },
			OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { ends.Add(1) },
		}
		r := open(t, h, protocol.Limits{})
		var deferred atomic.Int32
		var wg sync.WaitGroup
		for _, f := range []func(){
			func() { r.Receive(text("x")) },
			func() { _ = r.Conn().Post(said.New(nil)) },
			func() { r.Conn().Close(4001, "") },
			func() { r.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true}) },
			func() { r.Conn().Defer(func() { deferred.Add(1) }) },
			func() {
				for r.Conn().Send(context.Background(), text("x")) == nil {
					runtime.Gosched()
				}
			},
		} {
			wg.Go(f)
		}
		wg.Wait()
		r.awaitOver(t, testkit.Here(), "ends from all sides")
		done := make(chan struct{})
		r.Conn().Defer(func() { close(done) }) // behind the one above, if it was late
		<-done
		if st := r.counters.Stats(); ends.Load() != 1 || st.Open != 0 || r.wire.closes() > 1 || deferred.Load() != 1 {
			t.Fatalf("Disconnect ran %d times, deferred %d, closed %d times, counted %+v", ends.Load(), deferred.Load(), r.wire.closes(), st)
		}
		if err := r.Conn().Send(context.Background(), text("x")); !errors.Is(err, protocol.ErrClosed) {
			t.Fatalf("a send after the end returned %v", err)
		}
	}
}
