package protocol_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// panicHere has a name that is looked for in stacks.
func panicHere(v any) { panic(v) }

// panicky is a handler that panics with v in one place.
func panicky(where string, v any) protocol.Application {
	in := func(place string) {
		if place == where {
			panicHere(v)
		}
	}
	h := &fakes.Handler{
		OnConnect: func(_ context.Context, c *protocol.Conn) error {
			c.Defer(func() { in("Defer") })
			if where == "Connect after Accept" {
				if err := c.Accept(nil); err != nil {
					return err
				}
			}
			if where == "Defer after a refusal" {
				c.Defer(func() { panicHere(v) })
				return protocol.NewRejectError(401, "")
			}
			if where == "Connect after an end" {
				c.Close(4001, "not you")
				panicHere(v)
			}
			in("Connect")
			in("Connect after Accept")
			return nil
		},
		OnReceive:    func(context.Context, *protocol.Conn, protocol.Message) error { in("Receive"); return nil },
		OnEvent:      func(context.Context, *protocol.Conn, *protocol.Event) error { in("Event"); return nil },
		OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { in("Disconnect") },
	}
	app := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		in("factory")
		return h, nil
	})
	middleware := protocol.Middleware(func(inner protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
			in("middleware")
			return inner.Open(s)
		})
	})
	return middleware(app)
}

func TestPromise4_PanicCostsOneConnection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     testkit.Line
		where  string
		status int                // of the refusal, or
		code   protocol.CloseCode // of our close; neither: it had ended before
	}{
		{at: testkit.Here(), where: "middleware", status: 500},
		{at: testkit.Here(), where: "factory", status: 500},
		{at: testkit.Here(), where: "Connect", status: 500},
		{at: testkit.Here(), where: "Connect after an end", status: 500},
		{at: testkit.Here(), where: "Defer after a refusal", status: 401},
		{at: testkit.Here(), where: "Connect after Accept", code: 1011},
		{at: testkit.Here(), where: "Receive", code: 1011},
		{at: testkit.Here(), where: "Event", code: 1011},
		{at: testkit.Here(), where: "Disconnect"},
		{at: testkit.Here(), where: "Defer"},
	} {
		for _, value := range panicValues() {
			t.Run(fmt.Sprintf("%s/%v", test.where, value), func(t *testing.T) {
				t.Parallel()
				p := &panicTest{at: test.at, where: test.where, value: value, status: test.status, code: test.code}
				synctest.Test(t, p.run)
			})
		}
	}
}

// panicTest is one row with one value.
type panicTest struct {
	at     testkit.Line
	where  string
	value  any
	status int
	code   protocol.CloseCode
}

func (p *panicTest) errorf(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Errorf("%s: panic(%T %v) in %s: %s", p.at, p.value, p.value, p.where, fmt.Sprintf(format, args...))
}

func (p *panicTest) run(t *testing.T) {
	t.Helper()
	other := open(t, &fakes.Handler{
		OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error { return c.Send(ctx, m) },
	}, protocol.Limits{})
	defer other.vanish()
	r := newRig(panicky(p.where, p.value), protocol.Limits{})
	if accepted := r.Open(); accepted != (p.status == 0) {
		p.errorf(t, "accepted: %v", accepted)
	}
	_ = r.Conn().Post(said.New(nil)) // fails where the connection has ended already
	synctest.Wait()
	r.Receive(text("x"))
	synctest.Wait()
	switch {
	case p.status != 0:
		if e := r.wire.rejection(t); e.Status != p.status || strings.Contains(e.Body, secret) {
			p.errorf(t, "refused with %d %q, want %d", e.Status, e.Body, p.status)
		}
	case p.code != 0 && r.wire.closes() == 0:
		p.errorf(t, "the connection goes on")
	case p.code != 0:
		if st := r.wire.closing(t); st.Code != p.code || st.Reason != "" {
			p.errorf(t, "closed with %v %q, want %v", st.Code, st.Reason, p.code)
		}
	}
	r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	synctest.Wait()
	select {
	case <-r.over:
	default:
		p.errorf(t, "the deferred functions have not all run")
	}
	p.checkLog(t, r)
	other.Receive(text("still here"))
	if other.wire.sent() != "still here" || other.counters.Stats().Panics != 0 {
		p.errorf(t, "another connection noticed")
	}
}

// panicValues are secrets, and errors that mean something when they are
// returned: thrown, they are a panic all the same.
func panicValues() []any {
	return []any{
		secret, errInternal, nil,
		protocol.ErrClosed, protocol.ErrDropped, plumbing.ErrUnread, plumbing.ErrEventUnknown, protocol.ErrNoRoute,
		context.Canceled, context.DeadlineExceeded, protocol.NewCloseError(4001, secret), protocol.NewRejectError(402, secret),
	}
}

// checkLog looks for the panic in the log and in the counters.
func (p *panicTest) checkLog(t *testing.T, r *rig) {
	t.Helper()
	lines := r.logs.having("stack")
	if len(lines) != 1 || !strings.Contains(lines[0].attrs["stack"], "panicHere") {
		p.errorf(t, "%d log lines with a stack, want 1 that names panicHere", len(lines))
	}
	if st := r.counters.Stats(); st.Panics != 1 || st.Open != 0 {
		p.errorf(t, "counted %+v", st)
	}
}

// touchy is a payload whose decoder panics.
type touchy struct{ N int }

func (*touchy) UnmarshalJSON([]byte) error {
	panicHere(secret)
	return nil
}

// TestPromise4_PanicInADecoder: what decodes a payload is user code too, and the
// event is still good for the others who share it.
func TestPromise4_PanicInADecoder(t *testing.T) {
	t.Parallel()
	e := said.New(map[string]int{"N": 7})
	r := open(t, &fakes.Handler{OnEvent: func(_ context.Context, _ *protocol.Conn, e *protocol.Event) error {
		_, err := protocol.EventType[touchy]{Name: "said"}.Payload(e)
		return err
	}}, protocol.Limits{})
	if err := r.Conn().Post(e); err != nil {
		t.Fatal(err)
	}
	<-r.over
	(&panicTest{at: testkit.Here(), where: "DecodeMsgpack", value: secret}).checkLog(t, r)
	if p, err := said.Payload(e); err != nil || p["N"] != 7 {
		t.Errorf("the event became %v, %v for the others", p, err)
	}
}
