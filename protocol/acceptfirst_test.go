package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// TestAcceptFirst: who has to be told why is accepted for it, wherever the error
// comes from.
func TestAcceptFirst(t *testing.T) {
	t.Parallel()
	told := protocol.NewCloseError(4003, "members only").AcceptFirst()
	connect := func(f func(c *protocol.Conn) error) func(h *fakes.Handler) protocol.Application {
		return func(h *fakes.Handler) protocol.Application {
			h.OnConnect = func(_ context.Context, c *protocol.Conn) error { return f(c) }
			return h
		}
	}
	for _, row := range []struct {
		at       testkit.Line
		app      func(h *fakes.Handler) protocol.Application
		accepted bool
		farewell int // how often Disconnect runs
	}{
		{testkit.Here(), func(*fakes.Handler) protocol.Application {
			return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return nil, told })
		}, true, 0},
		{testkit.Here(), func(h *fakes.Handler) protocol.Application {
			return protocol.Wrap(h, func(*protocol.Scope) (protocol.Handler, error) { return nil, fmt.Errorf("asking: %w", told) })
		}, true, 0},
		{testkit.Here(), connect(func(*protocol.Conn) error { return told }), true, 1},
		{testkit.Here(), connect(func(c *protocol.Conn) error { return errors.Join(c.Accept(nil), told) }), true, 1},
		{testkit.Here(), connect(func(*protocol.Conn) error { return errors.Join(told, protocol.NewRejectError(401, "")) }), true, 1},
		{testkit.Here(), connect(func(*protocol.Conn) error { panic(told) }), false, 0},
		{testkit.Here(), connect(func(*protocol.Conn) error { return protocol.NewCloseError(4003, "members only") }), false, 0},
		{testkit.Here(), connect(func(c *protocol.Conn) error { c.Close(4003, "members only"); return told }), false, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			farewell := 0
			h := &fakes.Handler{OnDisconnect: func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) {
				farewell++
				if s.Code != 4003 || s.Reason != "members only" {
					t.Errorf("%s: Disconnect has seen %v", row.at, s)
				}
			}}
			r := newRig(row.app(h), protocol.Limits{})
			if got := r.Open(); got != row.accepted {
				t.Fatalf("%s: accepted: %t", row.at, got)
			}
			if row.accepted {
				if c := r.wire.closing(t); c.Code != 4003 || c.Reason != "members only" {
					t.Errorf("%s: closed with %v", row.at, c)
				}
				if !r.Receive(text("too late")) {
					t.Errorf("%s: what comes until the end holds the peer up", row.at)
				}
				r.vanish()
			} else if r.wire.closes() > 0 {
				t.Errorf("%s: refused and closed", row.at)
			}
			synctest.Wait()
			if farewell != row.farewell {
				t.Errorf("%s: Disconnect ran %d times, want %d", row.at, farewell, row.farewell)
			}
		})
	}
}

// TestAcceptFirstFails: if the peer cannot be accepted it is not told.
func TestAcceptFirstFails(t *testing.T) {
	t.Parallel()
	app := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		return nil, protocol.NewCloseError(4003, "members only").AcceptFirst()
	})
	r := newRigOn(&wire{accept: func() error { return errInternal }}, app, protocol.Limits{})
	if r.Open() {
		t.Fatal("accepted")
	}
	if e := r.wire.rejection(t); e.Status != 500 || !errors.Is(e, errInternal) {
		t.Errorf("refused with %v, want 500 because of what Accept returned", e)
	}
}

// TestAcceptFirstLater: from a callback of an open connection it is Close.
func TestAcceptFirstLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
			return protocol.NewCloseError(4003, "members only").AcceptFirst()
		}}, protocol.Limits{})
		r.Open()
		r.Receive(text("hello"))
		synctest.Wait()
		if c := r.wire.closing(t); c.Code != 4003 || r.logs.count() > 0 {
			t.Errorf("closed with %v, and %d lines in the log", c, r.logs.count())
		}
		r.vanish()
	})
}
