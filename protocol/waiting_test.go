package protocol_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// waitingWire is a wire that counts the calls of WillWait.
type waitingWire struct {
	*wire
	waits atomic.Int32
}

func (w *waitingWire) WillWait() { w.waits.Add(1) }

// TestWillWait_Sends checks that the transport is told when a send waits, and only then.
func TestWillWait_Sends(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     testkit.Line
		policy protocol.Overflow
		way    string
		full   bool
		want   int32
	}{
		{testkit.Here(), protocol.OverflowBlock, "Send", true, 1},
		{testkit.Here(), protocol.OverflowBlock, "SendPrepared", true, 1},
		{testkit.Here(), protocol.OverflowBlock, "Offer", true, 0},
		{testkit.Here(), protocol.OverflowBlock, "Send", false, 0},
		{testkit.Here(), protocol.OverflowBlock, "SendPrepared", false, 0},
		{testkit.Here(), protocol.OverflowClose, "Send", true, 0},
		{testkit.Here(), protocol.OverflowDropOldest, "Send", true, 0},
		{testkit.Here(), protocol.OverflowDropNewest, "SendPrepared", true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, full := fullWire()
			tr := &waitingWire{wire: w}
			r := rigFor(tr, w, &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
				full.Store(row.full)
				_ = send(ctx, row.way, c, m)
				return nil
			}}, protocol.Limits{Overflow: row.policy})
			r.Open()
			go r.Receive(text("x"))
			pass(time.Second)
			if got := tr.waits.Load(); got != row.want {
				t.Errorf("%s: told %d times, want %d", row.at, got, row.want)
			}
			full.Store(false)
			r.Drained()
			r.vanish()
		})
	}
}

// TestWillWait_Contexts checks from which contexts layers and consumers reach the transport.
func TestWillWait_Contexts(t *testing.T) {
	t.Parallel()
	type key struct{}
	tr := &waitingWire{wire: &wire{}}
	wait := func(ctx context.Context, want int32) {
		t.Helper()
		before := tr.waits.Load()
		plumbing.WillWait(ctx)
		if got := tr.waits.Load() - before; got != want {
			t.Errorf("told %d times, want %d", got, want)
		}
	}
	r := rigFor(tr, tr.wire, &fakes.Handler{
		OnConnect: func(ctx context.Context, _ *protocol.Conn) error { wait(ctx, 0); return nil },
		OnReceive: func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
			wait(ctx, 1)
			wait(c.Context(), 1)
			wait(context.WithValue(ctx, key{}, 1), 1)
			wait(context.WithoutCancel(ctx), 1)
			timed, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			wait(timed, 1)
			wait(context.Background(), 0)
			return nil
		},
		OnEvent:      func(ctx context.Context, _ *protocol.Conn, _ *protocol.Event) error { wait(ctx, 1); return nil },
		OnDisconnect: func(ctx context.Context, _ *protocol.Conn, _ protocol.CloseStatus) { wait(ctx, 1) },
	}, protocol.Limits{})
	r.Open()
	r.Receive(text("x"))
	if err := r.Conn().Post(namedEvent("x")); err != nil {
		t.Error(err)
	}
	r.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
	<-r.over
	plain := open(t, &fakes.Handler{}, protocol.Limits{})
	plumbing.WillWait(plain.Conn().Context()) // its transport need not be told
	plain.vanish()
}
