package protocol_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// ended is the error of a send into another connection, which has ended.
func ended(t *testing.T) error {
	t.Helper()
	r := open(t, &fakes.Handler{}, protocol.Limits{})
	r.Ended(protocol.CloseStatus{Code: 4777, Reason: secret, Remote: true})
	<-r.over
	err := r.Conn().Send(t.Context(), text("x"))
	if err == nil {
		t.Fatal("a send into an ended connection succeeded")
	}
	return err
}

// refusal is an error that Open or Connect returns, and what becomes of it.
type refusal struct {
	at     testkit.Line
	err    error
	status int
	body   string // default: the status in words
	logged bool
}

func refusals(t *testing.T) []refusal {
	t.Helper()
	return []refusal{
		{at: testkit.Here(), err: protocol.NewRejectError(401, "who are you"), status: 401, body: "who are you"},
		{at: testkit.Here(), err: fmt.Errorf("%s: %w", secret, protocol.NewRejectError(429, "")), status: 429},
		{at: testkit.Here(), err: &protocol.RejectError{Err: errInternal}, status: 403},
		{at: testkit.Here(), err: &protocol.RejectError{Status: 302, Header: http.Header{"Location": {"/login"}}}, status: 302},
		{at: testkit.Here(), err: protocol.NewRejectError(300, ""), status: 300},
		{at: testkit.Here(), err: protocol.NewRejectError(599, "x"), status: 599, body: "x"},
		{at: testkit.Here(), err: protocol.NewRejectError(299, "x"), status: 500, logged: true}, // these are no refusals
		{at: testkit.Here(), err: protocol.NewRejectError(200, "x"), status: 500, logged: true},
		{at: testkit.Here(), err: protocol.NewRejectError(101, "x"), status: 500, logged: true},
		{at: testkit.Here(), err: protocol.NewRejectError(600, "x"), status: 500, logged: true},
		{at: testkit.Here(), err: protocol.NewRejectError(-1, "x"), status: 500, logged: true},
		{at: testkit.Here(), err: protocol.ErrNoRoute, status: 404},
		{at: testkit.Here(), err: fmt.Errorf("%s: %w", secret, protocol.ErrNoRoute), status: 404},
		{at: testkit.Here(), err: fmt.Errorf("%s: %w", secret, protocol.ErrInvalidName), status: 404, logged: true},
		{at: testkit.Here(), err: errors.Join(protocol.ErrNoRoute, protocol.ErrInvalidName), status: 404, logged: true},
		{at: testkit.Here(), err: &protocol.RejectError{Status: 400, Err: protocol.ErrInvalidName}, status: 400},
		{at: testkit.Here(), err: protocol.ErrTooMany, status: 500, logged: true},
		{at: testkit.Here(), err: protocol.NewCloseError(4001, "not you"), status: 403, body: "not you"},
		{at: testkit.Here(), err: protocol.NewCloseError(protocol.CloseNormal, ""), status: 403},
		{at: testkit.Here(), err: protocol.NewCloseError(protocol.CloseGoingAway, "bye"), status: 503, body: "bye"},
		{at: testkit.Here(), err: protocol.NewCloseError(1012, ""), status: 503},
		{at: testkit.Here(), err: protocol.NewCloseError(protocol.CloseTryAgainLater, ""), status: 503},
		{at: testkit.Here(), err: context.DeadlineExceeded, status: 503, logged: true},
		{at: testkit.Here(), err: fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), status: 503, logged: true},
		{at: testkit.Here(), err: errInternal, status: 500, logged: true},
		{at: testkit.Here(), err: ended(t), status: 500, logged: true}, // of another connection: a cause like any other
		{at: testkit.Here(), err: protocol.ErrDropped, status: 500, logged: true},
		{at: testkit.Here(), err: plumbing.ErrUnread, status: 500, logged: true},
		{at: testkit.Here(), err: protocol.ErrClosed, status: 500, logged: true},
		// The peer is still here, so it is the application's own ctx that was cancelled.
		{at: testkit.Here(), err: fmt.Errorf("%s: %w", secret, context.Canceled), status: 500, logged: true},
	}
}

func TestDecision6_ErrorsThatRefuse(t *testing.T) {
	t.Parallel()
	for _, test := range refusals(t) {
		for where, app := range map[string]protocol.Application{
			"Open":    protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return nil, test.err }),
			"Connect": &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return test.err }},
		} {
			r := newRig(app, protocol.Limits{})
			if r.Open() {
				t.Errorf("%s: %s returned %v and the connection was accepted", test.at, where, test.err)
				continue
			}
			<-r.over
			e, body := r.wire.rejection(t), cmp.Or(test.body, http.StatusText(test.status))
			if e.Status != test.status || e.Body != body {
				t.Errorf("%s: %s returned %q: refused with %d %q, want %d %q", test.at, where, test.err, e.Status, e.Body, test.status, body)
			}
			if got := len(r.logs.having("error")) == 1; got != test.logged {
				t.Errorf("%s: %s returned %q: logged: %v, want %v", test.at, where, test.err, got, test.logged)
			}
			if st := r.counters.Stats(); st.Refused != 1 || st.Accepted != 0 || st.Open != 0 || st.Panics != 0 {
				t.Errorf("%s: counted %+v", test.at, st)
			}
		}
	}
}

func TestDecision6_NoHandlerIsAFault(t *testing.T) {
	t.Parallel()
	r := newRig(protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		return nil, nil //nolint:nilnil // the mistake that this is about
	}), protocol.Limits{})
	if r.Open() {
		t.Fatal("accepted without a handler")
	}
	<-r.over
	if e := r.wire.rejection(t); e.Status != 500 || len(r.logs.having("error")) != 1 {
		t.Errorf("refused with %d, want 500 and a log line", e.Status)
	}
}

func TestDecision6_ErrorsThatClose(t *testing.T) {
	t.Parallel()
	const goesOn = protocol.CloseCode(0)
	for _, test := range []struct {
		at       testkit.Line
		err      error
		receive  protocol.CloseCode // what Receive closes with
		event    protocol.CloseCode
		reason   string
		failures int64
		warnings int
	}{
		{at: testkit.Here(), err: nil},
		{at: testkit.Here(), err: protocol.ErrDropped},
		{at: testkit.Here(), err: fmt.Errorf("x: %w", protocol.ErrDropped)},
		{at: testkit.Here(), err: plumbing.ErrUnread},
		{at: testkit.Here(), err: plumbing.ErrEventUnknown, receive: 1011, failures: 1},
		{at: testkit.Here(), err: protocol.ErrEventPayload, receive: 1011, failures: 1},
		{at: testkit.Here(), err: protocol.NewCloseError(4001, "bye"), receive: 4001, event: 4001, reason: "bye"},
		{at: testkit.Here(), err: fmt.Errorf("%s: %w", secret, protocol.NewCloseError(1000, "bye")), receive: 1000, event: 1000, reason: "bye"},
		{at: testkit.Here(), err: fmt.Errorf("%s: %w", secret, protocol.ErrInvalidName), receive: 1008, event: 1008, reason: "invalid name", warnings: 1},
		{at: testkit.Here(), err: fmt.Errorf("%s: %w", secret, protocol.ErrTooMany), receive: 1008, event: 1008, reason: "too many", warnings: 1},
		{at: testkit.Here(), err: errors.Join(protocol.NewCloseError(4001, "bye"), protocol.ErrInvalidName), receive: 4001, event: 4001, reason: "bye"},
		{at: testkit.Here(), err: protocol.NewCloseError(1005, "bye"), receive: 1011, event: 1011, failures: 1},
		{at: testkit.Here(), err: protocol.NewCloseError(1010, "bye"), receive: 1011, event: 1011, failures: 1},
		{at: testkit.Here(), err: protocol.NewCloseError(0, secret), receive: 1011, event: 1011, failures: 1},
		{at: testkit.Here(), err: errInternal, receive: 1011, event: 1011, failures: 1},
		{at: testkit.Here(), err: context.DeadlineExceeded, receive: 1011, event: 1011, failures: 1},
		{at: testkit.Here(), err: context.Canceled, receive: 1011, event: 1011, failures: 1}, // not ours: ours has not ended
		{at: testkit.Here(), err: protocol.NewRejectError(401, secret), receive: 1011, event: 1011, failures: 1},
		{at: testkit.Here(), err: ended(t), receive: 1011, event: 1011, failures: 1}, // of another connection
		{at: testkit.Here(), err: protocol.ErrSlow, receive: 1011, event: 1011, failures: 1},
		{at: testkit.Here(), err: protocol.ErrBusy, receive: 1011, event: 1011, failures: 1},
	} {
		for by, want := range map[string]protocol.CloseCode{"Receive": test.receive, "Event": test.event} {
			synctest.Test(t, func(t *testing.T) {
				r := returning(t, by, test.err)
				if closed := r.wire.closes() == 1; closed != (want != goesOn) {
					t.Fatalf("%s: %s returned %v: closed: %v", test.at, by, test.err, closed)
				} else if !closed {
					r.vanish()
					return
				}
				if st := r.wire.closing(t); st.Code != want || st.Reason != test.reason {
					t.Errorf("%s: %s returned %v: closed with %v %q, want %v %q", test.at, by, test.err, st.Code, st.Reason, want, test.reason)
				}
				if st := r.counters.Stats(); st.Failures != test.failures || len(r.logs.having("error")) != int(test.failures)+test.warnings {
					t.Errorf("%s: %s returned %v: %d failures and %d log lines, want %d", test.at, by, test.err, st.Failures, r.logs.count(), test.failures)
				}
				if st := r.counters.Stats(); st.SlowClosed != 0 || st.BusyClosed != 0 {
					t.Errorf("%s: %s returned %v: counted as slow or busy, which another connection was: %+v", test.at, by, test.err, st)
				}
			})
		}
	}
}

// returning is a connection one of whose callbacks has returned err.
func returning(t *testing.T, by string, err error) *rig {
	t.Helper()
	r := open(t, &fakes.Handler{
		OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error { return err },
		OnEvent:   func(context.Context, *protocol.Conn, *protocol.Event) error { return err },
	}, protocol.Limits{})
	if by == "Receive" {
		r.Receive(text("x"))
	} else if err := r.Conn().Post(said.New(nil)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return r
}

// TestDecision6_OwnEndIsNoFault: a callback that passes on what its sends say
// after the end of its own connection has done nothing wrong.
func TestDecision6_OwnEndIsNoFault(t *testing.T) {
	t.Parallel()
	r := open(t, &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
		c.Close(4001, "bye")
		return c.Send(ctx, text("too late"))
	}}, protocol.Limits{})
	r.Receive(text("x"))
	<-r.over
	if st := r.wire.closing(t); st.Code != 4001 {
		t.Errorf("closed with %v, want 4001", st.Code)
	}
	if n := r.logs.count(); n != 0 || r.counters.Stats().Failures != 0 {
		t.Errorf("%d lines were logged and %d failures counted", n, r.counters.Stats().Failures)
	}
}

// TestDecision6_CloseWith does what a callback's error would, also before the
// answer, where it refuses.
func TestDecision6_CloseWith(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		err  error
		code protocol.CloseCode
	}{
		{testkit.Here(), nil, protocol.CloseNormal},
		{testkit.Here(), protocol.NewCloseError(4001, "bye"), 4001},
		{testkit.Here(), errInternal, protocol.CloseInternalError},
		{testkit.Here(), context.Canceled, protocol.CloseInternalError},
		{testkit.Here(), ended(t), protocol.CloseInternalError},
	} {
		r := open(t, &fakes.Handler{}, protocol.Limits{})
		r.Conn().CloseWith(test.err)
		<-r.over
		if st := r.wire.closing(t); st.Code != test.code || strings.Contains(st.Reason, secret) {
			t.Errorf("%s: CloseWith(%v) closed with %v %q, want %v", test.at, test.err, st.Code, st.Reason, test.code)
		}
		early := newRig(&fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
			c.CloseWith(test.err)
			return nil
		}}, protocol.Limits{})
		if early.Open() {
			t.Errorf("%s: CloseWith(%v) before the answer did not refuse the connection", test.at, test.err)
			early.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		}
		<-early.over
	}
}

// found is an error as a user would meet it, and what it must match.
type found struct {
	at    testkit.Line
	name  string
	make  func() error
	match []error
}

// TestPromise12_ErrorsMatch brings every exported error about.
func TestPromise12_ErrorsMatch(t *testing.T) {
	t.Parallel()
	for _, test := range slices.Concat(foundTooLate(t), foundInQueues(t), foundElsewhere(t)) {
		err := test.make()
		for _, want := range test.match {
			if !errors.Is(err, want) {
				t.Errorf("%s: %s: errors.Is(%v, %v) is false", test.at, test.name, err, want)
			}
		}
		for _, other := range []error{plumbing.ErrAccepted, protocol.ErrDropped, protocol.ErrQueueFull, protocol.ErrNoRoute, plumbing.ErrUnread} {
			if errors.Is(err, other) && !errors.Is(test.match[0], other) {
				t.Errorf("%s: %s: %v also matches %v", test.at, test.name, err, other)
			}
		}
	}
}

func foundTooLate(t *testing.T) []found {
	t.Helper()
	return []found{
		{testkit.Here(), "ErrAccepted", func() error {
			r := open(t, &fakes.Handler{}, protocol.Limits{})
			defer r.vanish()
			return r.Conn().Accept(nil)
		}, []error{plumbing.ErrAccepted}},
		{testkit.Here(), "ErrClosed", func() error { return ended(t) }, []error{protocol.ErrClosed, net.ErrClosed}},
		{testkit.Here(), "Accept after a refusal", func() error {
			r := newRig(&fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return errInternal }}, protocol.Limits{})
			r.Open()
			return r.Conn().Accept(nil)
		}, []error{protocol.ErrClosed, net.ErrClosed}},
		{testkit.Here(), "Post after the end", func() error {
			r := open(t, &fakes.Handler{}, protocol.Limits{})
			r.vanish()
			return r.Conn().Post(said.New(nil))
		}, []error{protocol.ErrClosed, net.ErrClosed}},
		{testkit.Here(), "cause", func() error {
			r := open(t, &fakes.Handler{}, protocol.Limits{})
			r.vanish()
			return context.Cause(r.Conn().Context())
		}, []error{protocol.ErrClosed, net.ErrClosed}},
	}
}

func foundInQueues(t *testing.T) []found {
	t.Helper()
	ctx := t.Context()
	full := &wire{send: func(protocol.Message) error { return protocol.ErrQueueFull }}
	return []found{
		{testkit.Here(), "ErrSlow", func() error {
			return openOn(t, full, &fakes.Handler{}, protocol.Limits{}).Conn().Send(ctx, text("x"))
		}, []error{protocol.ErrSlow, protocol.ErrClosed, net.ErrClosed}},
		{testkit.Here(), "ErrDropped", func() error {
			r := openOn(t, full, &fakes.Handler{}, protocol.Limits{Overflow: protocol.OverflowDropNewest})
			defer r.vanish()
			return r.Conn().Send(ctx, text("x"))
		}, []error{protocol.ErrDropped}},
		{testkit.Here(), "ErrQueueFull", func() (err error) {
			r := newRig(&fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
				return errors.Join(c.Send(ctx, text("x")), c.Send(ctx, text("y")))
			}}, protocol.Limits{QueueBytes: 100})
			r.Open()
			return r.wire.rejection(t).Err
		}, []error{protocol.ErrQueueFull}},
		{testkit.Here(), "ErrBusy", func() (err error) {
			r := newRig(&fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
				err := c.Accept(nil)
				for range hardFactor + 1 {
					err = errors.Join(err, c.Post(said.New(nil)))
				}
				return err
			}}, protocol.Limits{QueueEvents: 1})
			r.Open()
			return r.wire.closing(t).Err
		}, []error{protocol.ErrBusy, protocol.ErrClosed, net.ErrClosed}},
	}
}

func foundElsewhere(t *testing.T) []found {
	t.Helper()
	return []found{
		{testkit.Here(), "ErrEventPayload", func() error {
			_, err := protocol.EventType[struct{ N []int }]{Name: "said"}.Payload(said.New(map[string]int{"N": 1}))
			return err
		}, []error{protocol.ErrEventPayload}},
		{testkit.Here(), "ErrNoRoute", func() error {
			r := newRig(protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
				return nil, fmt.Errorf("/x: %w", protocol.ErrNoRoute)
			}), protocol.Limits{})
			r.Open()
			return r.wire.rejection(t)
		}, []error{protocol.ErrNoRoute}},
		{testkit.Here(), "RejectError.Err", func() error { return &protocol.RejectError{Err: errInternal} }, []error{errInternal}},
		{testkit.Here(), "CloseError.Err", func() error {
			return &protocol.CloseError{CloseStatus: protocol.CloseStatus{Code: 1011, Err: errInternal}}
		}, []error{errInternal, protocol.ErrClosed, net.ErrClosed}},
		{testkit.Here(), "PanicError", func() error {
			r := open(t, &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error { panic(errInternal) }}, protocol.Limits{})
			r.Receive(text("x"))
			return r.wire.closing(t).Err
		}, []error{errInternal}},
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		err  error
		want string
	}{
		{testkit.Here(), protocol.NewCloseError(4001, "bye"), `wye: connection closed: 4001 "bye"`},
		{testkit.Here(), protocol.NewCloseError(1000, ""), `wye: connection closed: 1000 normal closure`},
		{testkit.Here(), &protocol.CloseError{CloseStatus: protocol.CloseStatus{Code: 1006, Remote: true, Err: errors.New("reset")}},
			`wye: connection closed by the peer: 1006 abnormal closure: reset`},
		{testkit.Here(), protocol.NewRejectError(401, "who"), `wye: connection refused with 401: who`},
		{testkit.Here(), &protocol.RejectError{Status: 403, Err: errors.New("why")}, `wye: connection refused with 403: why`},
		{testkit.Here(), &protocol.PanicError{Value: "oops", Stack: []byte("stack")}, `wye: panic: oops`},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.at, got, test.want)
		}
	}
}
