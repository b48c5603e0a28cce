package protocol_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// limits is a handler whose Connect gives a connection limits, the outer ones
// first.
func limits(ls ...protocol.Limits) *fakes.Handler {
	return &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
		for i := range ls {
			if err := c.Limit(ls[i]); err != nil {
				return err
			}
		}
		return nil
	}}
}

func TestConnLimit(t *testing.T) {
	t.Parallel()
	server := protocol.Limits{
		MaxMessage: 1, MaxFrame: 2, MaxFragments: 3, MaxControlFrames: 4, MinRate: 5,
		ReadAhead: 6, QueueBytes: 7, QueueEvents: 8, QueueEventBytes: 9, Rate: protocol.Rate{Messages: 1, MessageBurst: 2},
		Groups: 9, Goroutines: 10, Overflow: protocol.OverflowDropNewest, EventOverflow: protocol.OverflowDropNewest,
	}
	other := protocol.Limits{
		MaxMessage: 11, MaxFrame: 12, MaxFragments: 13, MaxControlFrames: 14, MinRate: 15,
		ReadAhead: 16, QueueBytes: 17, QueueEvents: 18, QueueEventBytes: 19, Rate: protocol.Rate{Messages: 3, MessageBurst: 4, Bytes: 5, ByteBurst: 6, Close: true},
		Groups: 19, Goroutines: 20, Overflow: protocol.OverflowClose, EventOverflow: protocol.OverflowDropOldest,
		RepairText: true,
	}
	changed := func(change func(*protocol.Limits)) protocol.Limits {
		l := server
		change(&l)
		return l
	}
	for _, test := range []struct {
		at    testkit.Line
		given []protocol.Limits
		want  protocol.Limits
	}{
		{testkit.Here(), nil, server},
		{testkit.Here(), []protocol.Limits{{}}, server},
		{testkit.Here(), []protocol.Limits{{MaxMessage: -1, MinRate: -1}}, server},
		{testkit.Here(), []protocol.Limits{other}, other},
		{testkit.Here(), []protocol.Limits{other, {}}, other},
		{testkit.Here(), []protocol.Limits{other, server}, changed(func(l *protocol.Limits) { l.RepairText = true })}, // the inner one
		{testkit.Here(), []protocol.Limits{{MinRate: 9}, {QueueEvents: 9}, {Groups: 7, Goroutines: 6}}, changed(func(l *protocol.Limits) { l.MinRate, l.QueueEvents, l.Groups, l.Goroutines = 9, 9, 7, 6 })},
		{testkit.Here(), []protocol.Limits{{MaxMessage: 9}}, changed(func(l *protocol.Limits) { l.MaxMessage, l.MaxFrame = 9, 9 })},
		{testkit.Here(), []protocol.Limits{{MaxFrame: 9}}, changed(func(l *protocol.Limits) { l.MaxFrame = 9 })},
		{testkit.Here(), []protocol.Limits{{MaxMessage: 9}, {MaxFrame: 3}}, changed(func(l *protocol.Limits) { l.MaxMessage, l.MaxFrame = 9, 3 })},
		{testkit.Here(), []protocol.Limits{{Overflow: protocol.OverflowClose}}, changed(func(l *protocol.Limits) { l.Overflow = protocol.OverflowClose })},
	} {
		var r *rig
		var seen protocol.Limits
		w := &wire{accept: func() error { seen = r.Limits(); return nil }}
		r = newRigOn(w, limits(test.given...), server)
		if !r.Open() {
			t.Fatalf("%s: refused with %v", test.at, w.rejection(t))
		}
		if seen != test.want || r.Limits() != test.want {
			t.Errorf("%s: the transport was told %+v, and later %+v, want %+v", test.at, seen, r.Limits(), test.want)
		}
		r.vanish()
	}
}

// TestConnLimitIsOnesOwn: sessions share the server's limits.
func TestConnLimitIsOnesOwn(t *testing.T) {
	t.Parallel()
	shared := &protocol.SessionOptions{
		Limits: protocol.Limits{}.WithDefaults(), Logger: slog.New(slog.DiscardHandler), Counters: &protocol.Counters{}, // or it is copied
	}
	for range 2 {
		s := protocol.NewSession(t.Context(), limits(protocol.Limits{MaxMessage: 1}), protocol.NewScope("websocket", request()), &wire{}, shared)
		s.Open()
		s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	}
	if shared.Limits != (protocol.Limits{}).WithDefaults() {
		t.Errorf("the server's limits are %+v now", shared.Limits)
	}
}

func TestConnLimitTooLate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		open func(*testing.T) *rig
		want error
	}{
		{testkit.Here(), func(t *testing.T) *rig { t.Helper(); return open(t, &fakes.Handler{}, protocol.Limits{}) }, plumbing.ErrAccepted},
		{testkit.Here(), func(t *testing.T) *rig {
			t.Helper()
			r := open(t, &fakes.Handler{}, protocol.Limits{})
			r.vanish()
			return r
		}, plumbing.ErrAccepted},
		{testkit.Here(), func(*testing.T) *rig {
			r := newRig(&fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return protocol.NewRejectError(403, "no") }}, protocol.Limits{})
			r.Open()
			return r
		}, protocol.ErrClosed},
	} {
		r := test.open(t)
		before := r.Limits()
		if err := r.Conn().Limit(protocol.Limits{MaxMessage: 1}); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.at, err, test.want)
		}
		if r.Limits() != before {
			t.Errorf("%s: it has changed the limits", test.at)
		}
		r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		<-r.over
	}
	r := open(t, &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
		if err := c.Accept(nil); err != nil {
			return err
		}
		if err := c.Limit(protocol.Limits{MaxMessage: 1}); !errors.Is(err, plumbing.ErrAccepted) {
			t.Errorf("behind Accept: got %v, want ErrAccepted", err)
		}
		return nil
	}}, protocol.Limits{})
	r.vanish()
}

// TestSessionKeepsConnLimits is about those that are the session's to apply, with
// a server that has the defaults.
func TestSessionKeepsConnLimits(t *testing.T) {
	t.Parallel()
	t.Run("ReadAhead", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			g.OnConnect = limits(protocol.Limits{ReadAhead: 1}).OnConnect
			r := open(t, &g.Handler, protocol.Limits{})
			go r.Receive(text("first"))
			synctest.Wait()
			if r.Receive(text("second")) {
				t.Error("more may be read than ReadAhead")
			}
			resumed := false
			r.Resume(func() { resumed = true })
			if resumed {
				t.Error("Resume has called at once")
			}
			close(g.opened)
			synctest.Wait()
			if !resumed {
				t.Error("reading does not go on")
			}
			r.vanish()
		})
	})
	t.Run("QueueEvents", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			g.OnConnect = limits(protocol.Limits{QueueEvents: 1}).OnConnect
			r := open(t, &g.Handler, protocol.Limits{})
			for range 1 + hardFactor { // the first is being handled
				if err := r.Conn().Post(said.New(nil)); err != nil {
					t.Error(err)
				}
				synctest.Wait()
			}
			if err := r.Conn().Post(said.New(nil)); !errors.Is(err, protocol.ErrBusy) {
				t.Errorf("got %v, want ErrBusy", err)
			}
			close(g.opened)
			<-r.over
		})
	})
	t.Run("QueueBytes before the answer", func(t *testing.T) {
		t.Parallel()
		r := open(t, &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
			if err := c.Limit(protocol.Limits{QueueBytes: 1}); err != nil {
				return err
			}
			if err := c.Send(ctx, text("one fits")); err != nil {
				return err
			}
			if err := c.Send(ctx, text("another")); !errors.Is(err, protocol.ErrQueueFull) {
				t.Errorf("got %v, want ErrQueueFull", err)
			}
			return nil
		}}, protocol.Limits{})
		if got := r.wire.sent(); got != "one fits" {
			t.Errorf("sent %q", got)
		}
		r.vanish()
	})
	t.Run("Overflow", func(t *testing.T) {
		t.Parallel()
		w, full := fullWire()
		r := openOn(t, w, limits(protocol.Limits{Overflow: protocol.OverflowDropNewest}), protocol.Limits{})
		full.Store(true)
		if err := r.Conn().Send(t.Context(), text("x")); !errors.Is(err, protocol.ErrDropped) {
			t.Errorf("got %v, want ErrDropped", err)
		}
		r.vanish()
	})
	t.Run("OverflowBlock", func(t *testing.T) {
		t.Parallel()
		w, full := fullWire()
		r := openOn(t, w, limits(protocol.Limits{Overflow: protocol.OverflowBlock}), protocol.Limits{})
		full.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Conn().Send(ctx, text("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it has waited", err)
		}
		r.vanish()
	})
}
