package protocol_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// parting is a way for an accepted connection to end.
type parting struct {
	at     testkit.Line
	name   string
	h      *fakes.Handler
	end    func(r *rig)
	code   protocol.CloseCode
	reason string
	remote bool
}

func partings() []parting {
	receive := func(f func(ctx context.Context, c *protocol.Conn) error) *fakes.Handler {
		return &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error { return f(ctx, c) }}
	}
	accepted := func(f func() error) *fakes.Handler {
		return &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error { return errors.Join(c.Accept(nil), f()) }}
	}
	hear := func(r *rig) { go r.Receive(text("x")) }
	post := func(r *rig) { _ = r.Conn().Post(said.New(nil)) }
	nothing := func(*rig) {}
	return []parting{
		{testkit.Here(), "peer", &fakes.Handler{}, func(r *rig) { r.Ended(protocol.CloseStatus{Code: 4000, Reason: "so long", Remote: true}) }, 4000, "so long", true},
		{testkit.Here(), "peer without a code", &fakes.Handler{}, func(r *rig) { r.Ended(protocol.CloseStatus{Code: protocol.CloseNoStatus, Remote: true}) }, 1005, "", true},
		{testkit.Here(), "network", &fakes.Handler{}, func(r *rig) { r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal}) }, 1006, "", false},
		{testkit.Here(), "kill", &fakes.Handler{}, func(r *rig) { r.Conn().Close(4001, "kicked") }, 4001, "kicked", false},
		{testkit.Here(), "shutdown", &fakes.Handler{}, func(r *rig) { r.Conn().Close(protocol.CloseGoingAway, "") }, 1001, "", false},
		{testkit.Here(), "bad code", &fakes.Handler{}, func(r *rig) { r.Conn().Close(protocol.CloseNoStatus, "x") }, 1011, "", false},
		{testkit.Here(), "twice", &fakes.Handler{}, func(r *rig) { r.Conn().Close(4001, "first"); r.Conn().Close(4002, "second") }, 4001, "first", false},
		{testkit.Here(), "peer after us", &fakes.Handler{}, func(r *rig) {
			r.Conn().Close(4001, "ours")
			r.Ended(protocol.CloseStatus{Code: 4002, Remote: true})
		}, 4001, "ours", false},
		{testkit.Here(), "error", receive(func(context.Context, *protocol.Conn) error { return errInternal }), hear, 1011, "", false},
		{testkit.Here(), "panic", receive(func(context.Context, *protocol.Conn) error { panic(secret) }), hear, 1011, "", false},
		{testkit.Here(), "exit", receive(func(context.Context, *protocol.Conn) error { runtime.Goexit(); return nil }), hear, 1011, "", false},
		{testkit.Here(), "close", receive(func(context.Context, *protocol.Conn) error { return protocol.NewCloseError(4003, "done") }), hear, 4003, "done", false},
		{testkit.Here(), "event exit", &fakes.Handler{OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error { runtime.Goexit(); return nil }}, post, 1011, "", false},
		{testkit.Here(), "error after Accept", accepted(func() error { return errInternal }), nothing, 1011, "", false},
		{testkit.Here(), "rejection after Accept", accepted(func() error { return protocol.NewRejectError(401, "") }), nothing, 1011, "", false},
		{testkit.Here(), "close after Accept", accepted(func() error { return protocol.NewCloseError(4004, "x") }), nothing, 4004, "x", false},
		{testkit.Here(), "panic after Accept", accepted(func() error { panic(secret) }), nothing, 1011, "", false},
		{testkit.Here(), "exit after Accept", accepted(func() error { runtime.Goexit(); return nil }), nothing, 1011, "", false},
		{testkit.Here(), "slow", &fakes.Handler{}, func(r *rig) {
			r.wire.send = func(protocol.Message) error { return protocol.ErrQueueFull }
			_ = r.Conn().Send(context.Background(), text("x"))
		}, 1013, "reading too slowly", false},
	}
}

func TestPromise3_DisconnectExactlyOnce(t *testing.T) {
	t.Parallel()
	for _, test := range partings() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, test.run)
		})
	}
}

func (p *parting) run(t *testing.T) {
	var told []protocol.CloseStatus
	deferred := 0
	p.h.OnDisconnect = func(ctx context.Context, c *protocol.Conn, s protocol.CloseStatus) {
		told = append(told, s)
		if ctx.Err() != nil || c.Context().Err() == nil || !errors.Is(c.Send(ctx, text("x")), protocol.ErrClosed) {
			t.Errorf("%s: Disconnect finds the connection open, or its own ctx ended", p.at)
		}
	}
	r := newRig(p.h, protocol.Limits{})
	r.Conn().Defer(func() { deferred++ })
	go r.Open() // some end this goroutine
	synctest.Wait()
	p.end(r)
	<-r.over
	r.Ended(protocol.CloseStatus{Code: 4999, Remote: true})
	r.Conn().Close(4998, "")
	synctest.Wait()
	if len(told) != 1 || told[0].Code != p.code || told[0].Reason != p.reason || told[0].Remote != p.remote {
		t.Errorf("%s: Disconnect was told %+v, want once %v %q remote=%v", p.at, told, p.code, p.reason, p.remote)
	}
	if st := r.counters.Stats(); deferred != 1 || st.Open != 0 || st.Accepted != 1 || st.Refused != 0 {
		t.Errorf("%s: deferred function ran %d times, counted %+v", p.at, deferred, st)
	}
}

func TestPromise3_NoDisconnectAfterARefusal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		wire *wire
		err  error
	}{
		{testkit.Here(), &wire{}, errInternal},
		{testkit.Here(), &wire{}, protocol.NewRejectError(401, "")},
		{testkit.Here(), &wire{accept: func() error { return errInternal }}, nil},
	} {
		r := newRigOn(test.wire, &fakes.Handler{
			OnConnect: func(context.Context, *protocol.Conn) error { return test.err },
			OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) {
				t.Errorf("%s: Disconnect was called", test.at)
			},
		}, protocol.Limits{})
		if r.Open() {
			t.Errorf("%s: accepted", test.at)
		}
		<-r.over
		if r.Receive(text("x")) != true || r.counters.Stats().MessagesUnread != 1 {
			t.Errorf("%s: a message after the refusal was not counted: %+v", test.at, r.counters.Stats())
		}
		if e := r.wire.rejection(t); r.wire.closes() != 0 || e.Body == secret {
			t.Errorf("%s: closed %d times, refused with %q", test.at, r.wire.closes(), e.Body)
		}
	}
}

// TestDecision23_FarewellHasAFreshDeadline: what the peer had said before it
// left is still heard for a moment; Disconnect has ten seconds of its own.
func TestDecision23_FarewellHasAFreshDeadline(t *testing.T) {
	t.Parallel()
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		var contexts []context.Context
		h := &fakes.Handler{
			OnReceive: func(ctx context.Context, _ *protocol.Conn, m protocol.Message) error {
				heard, contexts = append(heard, m.Text()), append(contexts, ctx)
				pass(3 * time.Second)
				return nil
			},
			OnDisconnect: func(ctx context.Context, _ *protocol.Conn, _ protocol.CloseStatus) {
				contexts = append(contexts, ctx)
				if left, _ := ctx.Deadline(); time.Until(left) != 10*time.Second || ctx.Err() != nil {
					t.Errorf("Disconnect has %v left (%v), want 10s", time.Until(left), ctx.Err())
				}
				<-ctx.Done()
				if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
					t.Errorf("ctx ended with %v", ctx.Err())
				}
			},
		}
		w := &wire{}
		s := protocol.NewSession(context.WithValue(t.Context(), key{}, "kept"), h, protocol.NewScope("websocket", request()), w, nil)
		over := make(chan struct{})
		s.Conn().Defer(func() { close(over) })
		s.Open()
		go s.Receive(text("one"))
		synctest.Wait()
		s.Receive(text("two"))
		s.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
		begin := time.Now()
		<-over
		if took := time.Since(begin); took != 16*time.Second { // two callbacks, which ignore their ctx, and Disconnect
			t.Errorf("the farewell took %v, want 16s", took)
		}
		if len(heard) != 2 || len(contexts) != 3 || contexts[1] == contexts[2] || contexts[0] == contexts[1] {
			t.Fatalf("heard %v with %d contexts", heard, len(contexts))
		}
		if !errors.Is(contexts[0].Err(), context.Canceled) || contexts[1].Value(key{}) != "kept" || contexts[2].Value(key{}) != "kept" {
			t.Errorf("the first ctx ended with %v; the others have the values %v and %v", contexts[0].Err(), contexts[1].Value(key{}), contexts[2].Value(key{}))
		}
	})
}

// TestDefer covers when a deferred function runs, and in what order.
func TestDefer(t *testing.T) {
	t.Parallel()
	for _, accepted := range []bool{true, false} {
		d := &diary{}
		note := func(s string) func() { return func() { d.notef("%s", s) } }
		r := newRig(&fakes.Handler{
			OnConnect: func(_ context.Context, c *protocol.Conn) error {
				c.Defer(note("in Connect"))
				if !accepted {
					return errInternal
				}
				return nil
			},
			OnReceive: func(_ context.Context, c *protocol.Conn, _ protocol.Message) error {
				c.Defer(func() {
					d.notef("in Receive")
					c.Defer(note("in a deferred one"))
				})
				return nil
			},
			OnDisconnect: func(_ context.Context, c *protocol.Conn, _ protocol.CloseStatus) {
				c.Defer(note("in Disconnect"))
				d.notef("Disconnect")
			},
		}, protocol.Limits{})
		r.Conn().Defer(note("before"))
		r.Open()
		want := "in Connect, before, after"
		if accepted {
			r.Receive(text("x"))
			r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
			want = "Disconnect, in Disconnect, in Receive, in a deferred one, in Connect, before, after"
		}
		<-r.over
		after := make(chan struct{}) // called at once, or by whoever is just finishing
		r.Conn().Defer(func() {
			d.notef("after")
			close(after)
		})
		<-after
		if got := d.String(); got != want {
			t.Errorf("accepted %v:\ngot  %s\nwant %s", accepted, got, want)
		}
	}
}
