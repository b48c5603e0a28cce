package protocol_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// handIn hands a message over by the method of the session that way names.
func (r *rig) handIn(way string, m protocol.Message) (more bool) {
	switch way {
	case "Receive":
		return r.Receive(m)
	case "Enqueue":
		return r.Enqueue(m)
	}
	panic(way)
}

// TestEnqueue_NeverRunsACallback checks that Enqueue returns although callbacks block, that
// it queues copies, and that they are handled in the order of all calls.
func TestEnqueue_NeverRunsACallback(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at        testkit.Line
		schedules bool
	}{
		{testkit.Here(), true},
		{testkit.Here(), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			r, later := newLaterRig(&g.Handler, protocol.Limits{})
			if !row.schedules {
				r = newRig(&g.Handler, protocol.Limits{})
			}
			r.Open()
			buf := []byte("m0")
			for n := range 6 {
				buf[1] = '0' + byte(n)
				if !r.handIn([]string{"Enqueue", "Receive"}[n%2], protocol.Message{Data: buf, Key: "k"}) {
					t.Errorf("%s: told to stop reading", row.at)
				}
			}
			copy(buf, "!!")
			synctest.Wait()
			if len(g.heard) > 0 && row.schedules {
				t.Errorf("%s: %q were handled on the caller's goroutine", row.at, g.heard)
			}
			close(g.opened)
			later.loop()
			synctest.Wait()
			if got := strings.Join(g.heard, " "); got != "m0 m1 m2 m3 m4 m5" {
				t.Errorf("%s: handled %s", row.at, got)
			}
			r.vanishOn(later)
		})
	}
}

// TestEnqueue_WhenNotOpen checks messages that come before and after the connection is open.
func TestEnqueue_WhenNotOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		h := d.handler()
		var r *rig
		h.OnConnect = func(context.Context, *protocol.Conn) error {
			if !r.Enqueue(text("early")) {
				t.Error("told to stop reading before the answer")
			}
			d.notef("connect")
			return nil
		}
		r = newRig(h, protocol.Limits{})
		r.Open()
		synctest.Wait()
		r.vanish()
		if !r.Enqueue(text("late")) {
			t.Error("told to stop reading after the close")
		}
		synctest.Wait()
		if got, want := d.String(), "connect, receive early, disconnect 1006"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if st := r.counters.Stats(); st.MessagesUnread != 1 {
			t.Errorf("%d messages unread, want 1", st.MessagesUnread)
		}
	})
}

// TestEnqueue_Checked checks that text which the transport has checked is not checked again
// when the handler sends it, although it has waited. It uses text that is not UTF-8, which
// only a check would reject.
func TestEnqueue_Checked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var errs []string
		r := open(t, &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			errs = append(errs, fmt.Sprint(c.Send(ctx, m) != nil))
			return nil
		}}, protocol.Limits{})
		bad := protocol.Message{Data: []byte("\xff")}
		r.EnqueueChecked(bad)
		synctest.Wait()
		r.Enqueue(bad)
		synctest.Wait()
		r.ReceiveChecked(bad)
		if got := strings.Join(errs, " "); got != "false true false" {
			t.Errorf("sends have failed: %s", got)
		}
		r.vanish()
	})
}
