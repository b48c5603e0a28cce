package protocol_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// TestConnAnswered writes down what happens to a connection, in order: each
// Answered with its status, and callbacks.
func TestConnAnswered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at      testkit.Line
		name    string
		accept  error // of the transport
		connect func(ctx context.Context, c *protocol.Conn) error
		want    string
	}{
		{testkit.Here(), "accepted", nil, nil, "outer:0 inner:0 receive disconnect:1006 over"},
		{testkit.Here(), "accepted early", nil, func(_ context.Context, c *protocol.Conn) error {
			return c.Accept(nil)
		}, "outer:0 inner:0 receive disconnect:1006 over"},
		{testkit.Here(), "accepted early, then failed", nil, func(_ context.Context, c *protocol.Conn) error {
			_ = c.Accept(nil)
			return errInternal
		}, "outer:0 inner:0 disconnect:1011 over"},
		{testkit.Here(), "accepted early, then panicked", nil, func(_ context.Context, c *protocol.Conn) error {
			_ = c.Accept(nil)
			panic(errInternal)
		}, "outer:0 inner:0 disconnect:1011 over"},
		{testkit.Here(), "accepted early, then ended its goroutine", nil, func(_ context.Context, c *protocol.Conn) error {
			_ = c.Accept(nil)
			runtime.Goexit()
			return nil
		}, "outer:0 inner:0 disconnect:1011 over"},
		{testkit.Here(), "refused", nil, func(context.Context, *protocol.Conn) error {
			return protocol.NewRejectError(418, "a teapot")
		}, "outer:418 inner:418 over"},
		{testkit.Here(), "failed", nil, func(context.Context, *protocol.Conn) error { return errInternal }, "outer:500 inner:500 over"},
		{testkit.Here(), "panicked", nil, func(context.Context, *protocol.Conn) error { panic(errInternal) }, "outer:500 inner:500 over"},
		{testkit.Here(), "ended its goroutine", nil, func(context.Context, *protocol.Conn) error {
			runtime.Goexit()
			return nil
		}, "outer:500 inner:500 over"},
		{testkit.Here(), "closed", nil, func(_ context.Context, c *protocol.Conn) error {
			c.Close(protocol.CloseGoingAway, "")
			return nil
		}, "outer:503 inner:503 over"},
		{testkit.Here(), "could not be accepted", errInternal, nil, "outer:500 inner:500 over"},
		{testkit.Here(), "could not be accepted early", errInternal, func(_ context.Context, c *protocol.Conn) error {
			return c.Accept(nil)
		}, "outer:500 inner:500 over"},
	} {
		var done []string // by one callback at a time
		note := func(what string) { done = append(done, what) }
		answered := func(name string, c *protocol.Conn) {
			c.Answered(func(no *protocol.RejectError) {
				status := 0
				if no != nil {
					status = no.Status
				}
				note(name + ":" + strconv.Itoa(status))
			})
		}
		h := &fakes.Handler{
			OnConnect: func(ctx context.Context, c *protocol.Conn) error {
				answered("outer", c)
				answered("inner", c)
				c.Defer(func() { note("over") })
				if test.connect == nil {
					return nil
				}
				return test.connect(ctx, c)
			},
			OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error { note("receive"); return nil },
			OnDisconnect: func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) {
				note("disconnect:" + strconv.Itoa(int(s.Code)))
			},
		}
		r := newRigOn(&wire{accept: func() error { return test.accept }}, h, protocol.Limits{})
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			r.Open()
		}()
		<-opened
		if !strings.Contains(test.name, "then") {
			r.Receive(text("x"))
			r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		}
		<-r.over
		if got := strings.Join(done, " "); got != test.want {
			t.Errorf("%s: %s: got %s, want %s", test.at, test.name, got, test.want)
		}
	}
}

// TestConnAnsweredLate: whoever asks late is told at once, unless the answer was
// no.
func TestConnAnsweredLate(t *testing.T) {
	t.Parallel()
	told := 0
	ask := func(c *protocol.Conn) { c.Answered(func(*protocol.RejectError) { told++ }) }
	r := open(t, &fakes.Handler{}, protocol.Limits{})
	ask(r.Conn())
	if told != 1 {
		t.Errorf("told %d times while the connection is open, want once", told)
	}
	r.vanish()
	ask(r.Conn())
	if told != 2 {
		t.Errorf("told %d times after the end, want once", told-1)
	}
	r = newRig(&fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return errInternal }}, protocol.Limits{})
	r.Open()
	<-r.over
	ask(r.Conn())
	if told != 2 {
		t.Error("told although it was refused before")
	}
}

// TestConnAnsweredIsUserCode: what is wrong in it ends this connection, and its
// Disconnect runs.
func TestConnAnsweredIsUserCode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at testkit.Line
		f  func(*protocol.RejectError)
	}{
		{testkit.Here(), func(*protocol.RejectError) { panic(errInternal) }},
		{testkit.Here(), func(*protocol.RejectError) { runtime.Goexit() }},
	} {
		for _, refusal := range []error{nil, errInternal} {
			ends := make(chan protocol.CloseStatus, 1)
			r := newRig(&fakes.Handler{
				OnConnect: func(_ context.Context, c *protocol.Conn) error {
					c.Answered(test.f)
					return refusal
				},
				OnDisconnect: func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) { ends <- s },
			}, protocol.Limits{})
			go r.Open()
			<-r.over
			if n := len(r.logs.having("error")); n < 1 {
				t.Errorf("%s: nothing was logged", test.at)
			}
			if refusal != nil {
				continue
			}
			if st := <-ends; st.Code != protocol.CloseInternalError {
				t.Errorf("%s: ended with %v", test.at, st.Code)
			}
			if r.scope.Request() != nil {
				t.Errorf("%s: the request is kept", test.at)
			}
		}
	}
}

// TestConnAnsweredLateGoexit has the function end its goroutine, from a callback and
// beside them: the callbacks that are left still run one at a time.
func TestConnAnsweredLateGoexit(t *testing.T) {
	t.Parallel()
	exit := func(c *protocol.Conn) { c.Answered(func(*protocol.RejectError) { runtime.Goexit() }) }
	for _, test := range []struct {
		at     testkit.Line
		inside bool // of a callback
	}{{testkit.Here(), true}, {testkit.Here(), false}} {
		synctest.Test(t, func(t *testing.T) {
			var done []string // by one callback at a time
			h := &fakes.Handler{
				OnReceive: func(_ context.Context, c *protocol.Conn, _ protocol.Message) error { exit(c); return nil },
				OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) {
					<-time.After(time.Second)
					done = append(done, "disconnect")
				},
			}
			r := open(t, h, protocol.Limits{})
			r.Conn().Defer(func() { done = append(done, "over") })
			if test.inside {
				go r.Receive(text("x"))
			} else {
				go exit(r.Conn())
			}
			<-r.over
			if got := strings.Join(done, " "); got != "disconnect over" {
				t.Errorf("%s: got %q", test.at, got)
			}
			<-time.After(time.Minute)
		})
	}
}
