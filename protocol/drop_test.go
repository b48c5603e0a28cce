package protocol_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// dropper is a wire with a queue that can drop its oldest messages.
type dropper struct {
	*wire
	queue []string
	fixed int // of the queue, being written already
	limit int // messages
	rival bool
	rtt   time.Duration
}

func (d *dropper) Send(m protocol.Message) error {
	if d.rival && len(d.queue) < d.limit { // somebody else takes the room
		d.rival = false
		d.queue = append(d.queue, "rival")
	}
	if len(d.queue) >= d.limit {
		return protocol.ErrQueueFull
	}
	d.queue = append(d.queue, m.Text())
	return nil
}

func (d *dropper) SendPrepared(p *protocol.Prepared) error { return d.Send(p.Message()) }

func (d *dropper) DropOldest(int) (dropped int) {
	for len(d.queue) > d.fixed && len(d.queue) >= d.limit {
		d.queue = slices.Delete(d.queue, d.fixed, d.fixed+1)
		dropped++
	}
	return dropped
}

func (d *dropper) RTT() time.Duration { return d.rtt }

// opened is a connection over a transport that wraps w.
func opened(t *testing.T, over protocol.Transport, w *wire, limits protocol.Limits) *rig {
	t.Helper()
	r := rigFor(over, w, &fakes.Handler{}, limits)
	if !r.Open() {
		t.Fatal("the connection was refused")
	}
	return r
}

func TestOverflowDropOldest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at    testkit.Line
		fixed int
		rival bool
		err   error
		queue []string
		drops int64
	}{
		{testkit.Here(), 0, false, nil, []string{"2", "3", "new"}, 1},
		{testkit.Here(), 1, false, nil, []string{"1", "3", "new"}, 1},
		{testkit.Here(), 3, false, protocol.ErrDropped, []string{"1", "2", "3"}, 1},
		{testkit.Here(), 0, true, nil, []string{"3", "rival", "new"}, 2},
	} {
		for _, way := range []string{"Send", "SendPrepared", "Offer"} {
			d := &dropper{wire: &wire{}, limit: 3}
			r := opened(t, d, d.wire, protocol.Limits{Overflow: protocol.OverflowDropOldest})
			d.queue, d.fixed = []string{"1", "2", "3"}, test.fixed
			d.rival = test.rival
			if err := send(t.Context(), way, r.Conn(), text("new")); !errors.Is(err, test.err) {
				t.Errorf("%s: %s returned %v, want %v", test.at, way, err, test.err)
			}
			if n := r.counters.Stats().MessagesDropped; !slices.Equal(d.queue, test.queue) || n != test.drops {
				t.Errorf("%s: %s left %q and counted %d, want %q and %d", test.at, way, d.queue, n, test.queue, test.drops)
			}
			r.vanish()
		}
	}
}

// TestOverflowDropOldestWithoutDropper drops the newest.
func TestOverflowDropOldestWithoutDropper(t *testing.T) {
	t.Parallel()
	w, full := fullWire()
	r := openOn(t, w, &fakes.Handler{}, protocol.Limits{Overflow: protocol.OverflowDropOldest})
	full.Store(true)
	if err := r.Conn().Send(t.Context(), text("x")); !errors.Is(err, protocol.ErrDropped) {
		t.Errorf("got %v, want ErrDropped", err)
	}
	if n := r.counters.Stats().MessagesDropped; n != 1 {
		t.Errorf("counted %d, want 1", n)
	}
	r.vanish()
}

func TestRTT(t *testing.T) {
	t.Parallel()
	w := &wire{}
	known, unknown := opened(t, &dropper{wire: w, rtt: time.Second}, w, protocol.Limits{}), open(t, &fakes.Handler{}, protocol.Limits{})
	if got := known.Conn().RTT(); got != time.Second {
		t.Errorf("RTT %v, want the transport's", got)
	}
	if got := unknown.Conn().RTT(); got != 0 {
		t.Errorf("RTT %v of a transport that knows none", got)
	}
	known.vanish()
	unknown.vanish()
}
