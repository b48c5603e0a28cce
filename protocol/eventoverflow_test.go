package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// TestPromise6_EventOverflow: which events are dropped, while messages between
// them keep their place, and that they are counted.
func TestPromise6_EventOverflow(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		policy  protocol.Overflow
		heard   string
		dropped int // posts that return ErrDropped
		closes  bool
	}{
		{testkit.Here(), 0, "busy", 0, true},
		{testkit.Here(), protocol.OverflowClose, "busy", 0, true},
		{testkit.Here(), protocol.OverflowBlock, "busy", 0, true},
		{testkit.Here(), protocol.OverflowDropNewest, "busy m0 e0 m1 e1 m2 m3 m4", 3, false},
		{testkit.Here(), protocol.OverflowDropOldest, "busy m0 m1 m2 m3 e3 m4 e4", 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			g.OnEvent = func(_ context.Context, _ *protocol.Conn, e *protocol.Event) error {
				p, err := said.Payload(e)
				g.heard = append(g.heard, fmt.Sprint("e", p["n"]))
				return err
			}
			r := open(t, &g.Handler, protocol.Limits{QueueEvents: 2, EventOverflow: row.policy})
			go r.Receive(text("busy"))
			synctest.Wait()
			dropped := 0
			rounds := 5
			if row.closes {
				rounds = hardFactor*2 + 1
			}
			for n := range rounds {
				if r.wire.closes() > 0 {
					break
				}
				r.Receive(text(fmt.Sprint("m", n)))
				err := r.Conn().Post(said.New(map[string]int{"n": n}))
				switch {
				case errors.Is(err, protocol.ErrDropped):
					dropped++
				case err != nil && (!row.closes || !errors.Is(err, protocol.ErrBusy)):
					t.Errorf("%s: %v", row.at, err)
				}
			}
			close(g.opened)
			synctest.Wait()
			heard := fmt.Sprint(g.heard)
			st := r.counters.Stats()
			overflowed := int64(3)
			if row.closes {
				heard, overflowed = "[busy]", 0
			}
			if heard != "["+row.heard+"]" || dropped != row.dropped || st.EventsOverflowed != overflowed || (st.BusyClosed == 1) != row.closes {
				t.Errorf("%s: heard %s, want %s; %d posts returned ErrDropped; %+v", row.at, heard, row.heard, dropped, st)
			}
			r.vanish()
		})
	}
}
