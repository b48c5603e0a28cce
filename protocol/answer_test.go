package protocol_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// TestDecision1_AnOpenConnectionRunsNothing: an application decides who serves a
// connection and has then returned, so that a connection which is open and idle
// costs no goroutine. The bubble ends with a panic if one is left in it.
func TestDecision1_AnOpenConnectionRunsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inside := 0
		app := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
			inside++
			defer func() { inside-- }()
			return &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
				return c.Send(ctx, text("welcome"))
			}}, nil
		})
		for range 100 {
			r := newRig(app, protocol.Limits{})
			if !r.Open() {
				t.Fatal("refused")
			}
			if inside != 0 {
				t.Fatal("Open of the application still runs")
			}
			r.Receive(text("a message does not change that"))
		}
	})
}

// TestDecision6_AnAnswerThatFailedIsNamed: a Connect that goes on after its
// Accept has failed does not hide why.
func TestDecision6_AnAnswerThatFailedIsNamed(t *testing.T) {
	t.Parallel()
	r := newRigOn(&wire{accept: func() error { return errInternal }}, &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
		_ = c.Accept(nil)
		return nil
	}}, protocol.Limits{})
	if r.Open() {
		t.Fatal("accepted")
	}
	if e := r.wire.rejection(t); e.Status != 500 || !errors.Is(e, errInternal) {
		t.Errorf("refused with %v, want 500 because of what Accept returned", e)
	}
	if len(r.logs.having("error")) != 1 {
		t.Errorf("%d lines were logged, want 1", r.logs.count())
	}
}
