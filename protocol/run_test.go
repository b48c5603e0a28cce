package protocol_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// namedEvent returns an event of the type name.
func namedEvent(name string) *protocol.Event {
	return protocol.EventType[struct{}]{Name: name}.New(struct{}{})
}

// postNamed posts n events with the types "0", "1", and so on.
func postNamed(t *testing.T, c *protocol.Conn, n int) {
	t.Helper()
	for i := range n {
		if err := c.Post(namedEvent(fmt.Sprint(i))); err != nil {
			t.Error(err)
		}
	}
}

// TestRun_RunsUpToItsLimit checks how many callbacks each call of Run runs, and what it
// returns, while 5 events are due, and then Disconnect and three deferred functions, of which
// one is not in the diary.
func TestRun_RunsUpToItsLimit(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at         testkit.Line
		limit      int
		open, over string // the numbers of callbacks of each call; the last call returned false
	}{
		{testkit.Here(), 0, "5", "3"},
		{testkit.Here(), -1, "5", "3"},
		{testkit.Here(), 1, "1 1 1 1 1", "1 1 1 0 0"},
		{testkit.Here(), 2, "2 2 1", "2 1 0"},
		{testkit.Here(), 5, "5", "3"},
		{testkit.Here(), 100, "5", "3"},
	} {
		d := &diary{}
		r, later := newLaterRig(d.handler(), protocol.Limits{})
		r.Open()
		run := func() string {
			<-later.scheduled
			var calls []string
			for more := true; more; {
				before := d.count()
				more = r.Run(row.limit)
				calls = append(calls, fmt.Sprint(d.count()-before))
			}
			return strings.Join(calls, " ")
		}
		r.Conn().Defer(func() { d.notef("deferred by the test") })
		postNamed(t, r.Conn(), 5)
		if got := run(); got != row.open {
			t.Errorf("%s: 5 events took calls with %s callbacks, want %s", row.at, got, row.open)
		}
		r.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
		if got := run(); got != row.over {
			t.Errorf("%s: the end took calls with %s callbacks, want %s", row.at, got, row.over)
		}
		<-r.over
	}
}

// TestRun_Goexit checks that callbacks go on with another call of Schedule after one of
// them has ended its goroutine.
func TestRun_Goexit(t *testing.T) {
	t.Parallel()
	d := &diary{}
	h := d.handler()
	h.OnEvent = func(context.Context, *protocol.Conn, *protocol.Event) error {
		runtime.Goexit()
		return nil
	}
	r, later := newLaterRig(h, protocol.Limits{})
	r.Open()
	postNamed(t, r.Conn(), 1)
	<-later.scheduled
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		r.Run(1)
		t.Error("Run returned")
	}()
	<-exited
	later.turn()
	<-r.over
	if got, want := d.String(), "connect, disconnect 1011, deferred"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestReceive_RunsAFewCallbacks checks that Receive does not run all callbacks that are
// due if the transport has other connections to serve, and that the rest are scheduled
// in their order.
func TestReceive_RunsAFewCallbacks(t *testing.T) {
	t.Parallel()
	const events, inline = 100, 16
	for _, row := range []struct {
		at        testkit.Line
		schedules bool
		want      int // callbacks that Receive runs, with that of its message
	}{
		{testkit.Here(), true, 1 + inline},
		{testkit.Here(), false, 1 + events},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &diary{}
			h := d.handler()
			h.OnReceive = func(_ context.Context, c *protocol.Conn, m protocol.Message) error {
				d.notef("receive %s", m.Data)
				postNamed(t, c, events)
				return nil
			}
			r, later := newLaterRig(h, protocol.Limits{QueueEvents: 1000})
			if !row.schedules {
				r = newRig(h, protocol.Limits{QueueEvents: 1000})
			}
			r.Open()
			before := d.count()
			if !r.Receive(text("one")) {
				t.Errorf("%s: told to stop reading", row.at)
			}
			if got := d.count() - before; got != row.want {
				t.Errorf("%s: Receive ran %d callbacks, want %d", row.at, got, row.want)
			}
			r.Receive(text("two"))
			if row.schedules == (d.count() != before+row.want) {
				t.Errorf("%s: the second Receive has overtaken, or has not run its message", row.at)
			}
			later.loop()
			r.vanishOn(later)
			want := "connect, receive one" + listEvents(events) + ", receive two" + listEvents(events)
			if got := d.String(); !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %s, want %s", row.at, got, want)
			}
		})
	}
}

// vanishOn is vanish with a loop.
func (r *rig) vanishOn(later *laterScheduler) {
	r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	synctest.Wait()
	later.loop()
	<-r.over
}

// listEvents is what a diary has about n events of postNamed.
func listEvents(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", event %d", i)
	}
	return b.String()
}
