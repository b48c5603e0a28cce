package redis

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

// TestOutcome has probes that have failed, and whether the server is down for that reason.
func TestOutcome(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, row := range []struct {
		at       testkit.Line
		name     string
		err      error
		silent   bool  // the time of the probe is over
		canceled bool  // the driver has been closed
		received int64 // messages during the probe
		waiting  bool  // for room in an inbox
		want     error
	}{
		{testkit.Here(), "the connection broke", broken, false, false, 0, false, broken},
		{testkit.Here(), "the connection broke while messages arrived", broken, false, false, 1, false, broken},
		{testkit.Here(), "silence", context.DeadlineExceeded, true, false, 0, false, errSilent},
		{testkit.Here(), "other messages arrived", context.DeadlineExceeded, true, false, 1, false, nil},
		{testkit.Here(), "this node is behind", context.DeadlineExceeded, true, false, 0, true, nil},
		{testkit.Here(), "the driver is closed", context.Canceled, false, true, 0, false, context.Canceled},
	} {
		sub := &arrivals{server: new(server)}
		sub.received.Store(7 + row.received)
		sub.waiting.Store(row.waiting)
		ctx, cancel := context.WithCancelCause(t.Context())
		if row.silent {
			cancel(errSilent)
		}
		if row.canceled {
			cancel(nil)
		}
		if got := sub.outcome(ctx, row.err, 7); !errors.Is(got, row.want) || row.want == nil && got != nil {
			t.Errorf("%s: %s: %v, want %v", row.at, row.name, got, row.want)
		}
		cancel(nil)
	}
}

// TestInboxIsBounded has a full inbox, whose intake waits until there is room, or until it
// is closed.
func TestInboxIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{packets: make(chan packet, 2)}
		sub := &arrivals{ended: make(chan struct{})}
		put := 0
		go func() {
			for range 4 {
				in.put(packet{}, sub)
				put++
			}
		}()
		for _, want := range []int{2, 3} {
			synctest.Wait()
			if !sub.waiting.Load() || put != want {
				t.Errorf("%d messages were put, and the intake waits: %t; want %d and true", put, sub.waiting.Load(), want)
			}
			if want == 2 {
				<-in.packets
			}
		}
		close(sub.ended)
		synctest.Wait()
		if sub.waiting.Load() || put != 4 || len(in.packets) != 2 {
			t.Errorf("%d messages wait, and the intake waits: %t; want 2 and false", len(in.packets), sub.waiting.Load())
		}
	})
}

// TestBackoff has pauses that grow, up to a bound.
func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	most := firstPause
	for range 20 {
		if got := b.next(); got > most || got <= most/2-time.Nanosecond {
			t.Errorf("a pause of %v, want one between %v and %v", got, most/2, most)
		}
		most = min(2*most, lastPause)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b.wait(ctx) {
		t.Error("waited, although ctx had ended")
	}
}
