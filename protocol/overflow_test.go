package protocol_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// fullWire is a wire that says ErrQueueFull while it is full.
func fullWire() (w *wire, full *atomic.Bool) {
	full = new(atomic.Bool)
	return &wire{send: func(protocol.Message) error {
		if full.Load() {
			return protocol.ErrQueueFull
		}
		return nil
	}}, full
}

// send sends one message in the way of that name.
func send(ctx context.Context, way string, c *protocol.Conn, m protocol.Message) error {
	switch way {
	case "Send":
		return c.Send(ctx, m)
	case "SendPrepared":
		return c.SendPrepared(ctx, protocol.Prepare(m))
	default:
		return c.Offer(protocol.Prepare(m))
	}
}

func TestPromise7_SlowReader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     testkit.Line
		policy protocol.Overflow
		way    string
		err    error
		closed bool
	}{
		{testkit.Here(), protocol.OverflowClose, "Send", protocol.ErrSlow, true},
		{testkit.Here(), protocol.OverflowClose, "SendPrepared", protocol.ErrSlow, true},
		{testkit.Here(), protocol.OverflowClose, "Offer", protocol.ErrSlow, true},
		{testkit.Here(), protocol.OverflowDropNewest, "Send", protocol.ErrDropped, false},
		{testkit.Here(), protocol.OverflowDropNewest, "SendPrepared", protocol.ErrDropped, false},
		{testkit.Here(), protocol.OverflowDropNewest, "Offer", protocol.ErrDropped, false},
		{testkit.Here(), protocol.OverflowBlock, "Offer", protocol.ErrSlow, true}, // others must not wait
	} {
		synctest.Test(t, func(t *testing.T) {
			w, full := fullWire()
			r := openOn(t, w, &fakes.Handler{}, protocol.Limits{Overflow: test.policy})
			full.Store(true)
			begin := time.Now()
			if err := send(t.Context(), test.way, r.Conn(), text("lost")); !errors.Is(err, test.err) {
				t.Errorf("%s: %s returned %v, want %v", test.at, test.way, err, test.err)
			}
			if took := time.Since(begin); took != 0 {
				t.Errorf("%s: the sender was slowed by %v", test.at, took)
			}
			full.Store(false)
			err := send(t.Context(), test.way, r.Conn(), text("next"))
			st, want := r.counters.Stats(), protocol.Stats{Accepted: 1, Open: 1, MessagesDropped: 1}
			if test.closed {
				want.SlowClosed, st.Open = 1, 1 // it may have run Disconnect by now
				<-r.over
				if c := w.closing(t); c.Code != protocol.CloseTryAgainLater || !errors.Is(c.Err, protocol.ErrSlow) {
					t.Errorf("%s: closed with %+v", test.at, c)
				}
			}
			if st != want || errors.Is(err, protocol.ErrClosed) != test.closed || (w.sent() == "next") == test.closed {
				t.Errorf("%s: the next %s returned %v, sent %q, counted %+v", test.at, test.way, err, w.sent(), st)
			}
			r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
			<-r.over
		})
	}
}

func TestPromise7_BlockedSend(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at    testkit.Line
		name  string
		then  func(r *rig, full *atomic.Bool)
		match error // nil: the message is sent
		also  error
		takes time.Duration
	}{
		{testkit.Here(), "room", func(r *rig, full *atomic.Bool) { full.Store(false); r.Drained() }, nil, nil, time.Second},
		{testkit.Here(), "false alarm", func(r *rig, _ *atomic.Bool) { r.Drained(); r.Drained() }, context.DeadlineExceeded, context.DeadlineExceeded, time.Minute},
		{testkit.Here(), "nothing", func(*rig, *atomic.Bool) {}, context.DeadlineExceeded, context.DeadlineExceeded, time.Minute},
		{testkit.Here(), "peer leaves", func(r *rig, _ *atomic.Bool) { r.Ended(protocol.CloseStatus{Code: 4001, Remote: true}) },
			protocol.ErrClosed, net.ErrClosed, time.Second},
		{testkit.Here(), "we close", func(r *rig, _ *atomic.Bool) { r.Conn().Close(4001, "") }, protocol.ErrClosed, net.ErrClosed, time.Second},
		{testkit.Here(), "an offer", func(r *rig, _ *atomic.Bool) { _ = r.Conn().Offer(protocol.Prepare(text("x"))) },
			protocol.ErrClosed, net.ErrClosed, time.Second},
	} {
		for _, way := range []string{"Send", "SendPrepared"} {
			t.Run(test.name+"/"+way, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					err, took := block(t, way, test.then)
					if took != test.takes {
						t.Errorf("%s: waited %v, want %v", test.at, took, test.takes)
					}
					if !errors.Is(err, test.match) || !errors.Is(err, test.also) {
						t.Errorf("%s: returned %v, want %v", test.at, err, test.match)
					}
				})
			})
		}
	}
}

// block sends into a full queue, with a minute's patience. After a second the
// function is called.
func block(t *testing.T, way string, then func(*rig, *atomic.Bool)) (err error, took time.Duration) { //nolint:revive,staticcheck // as it happens
	t.Helper()
	w, full := fullWire()
	r := openOn(t, w, &fakes.Handler{}, protocol.Limits{Overflow: protocol.OverflowBlock})
	full.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begin := time.Now()
	go func() { pass(time.Second); then(r, full) }()
	err = send(ctx, way, r.Conn(), text("m"))
	took = time.Since(begin)
	if sent := w.sent() == "m"; sent != (err == nil) {
		t.Errorf("sent %q and returned %v", w.sent(), err)
	}
	if errors.Is(err, context.DeadlineExceeded) && (w.closes() != 0 || r.Conn().Context().Err() != nil) {
		t.Error("the sender's ctx ended the connection")
	}
	r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	<-r.over
	return err, took
}

// TestPromise7_ManyBlockedSendersAllGoOn: no wake-up is lost.
func TestPromise7_ManyBlockedSendersAllGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var room atomic.Int32
		w := &wire{send: func(protocol.Message) error {
			if room.Add(-1) < 0 {
				room.Add(1)
				return protocol.ErrQueueFull
			}
			return nil
		}}
		r := openOn(t, w, &fakes.Handler{}, protocol.Limits{Overflow: protocol.OverflowBlock})
		const senders, each = 5, 20
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				for range each {
					if err := r.Conn().Send(t.Context(), text("m")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range senders * each {
			synctest.Wait()
			room.Add(1)
			r.Drained()
		}
		wg.Wait()
		if n := len(w.mu.sent); n != senders*each {
			t.Errorf("sent %d, want %d", n, senders*each)
		}
		r.vanish()
	})
}

// TestPromise7_QueueFullBehindTheAnswer: what was sent before the answer meets
// a transport without room. It has told nobody yet, so the policy decides.
func TestPromise7_QueueFullBehindTheAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     testkit.Line
		policy protocol.Overflow
		closed bool
	}{
		{testkit.Here(), protocol.OverflowClose, true},
		{testkit.Here(), protocol.OverflowDropNewest, false},
	} {
		w := &wire{}
		w.send = func(m protocol.Message) error {
			if m.Text() == "two" {
				return protocol.ErrQueueFull
			}
			return nil
		}
		r := openOn(t, w, &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
			return errors.Join(c.Send(ctx, text("one")), c.Send(ctx, text("two")))
		}}, protocol.Limits{Overflow: test.policy})
		if st := r.counters.Stats(); st.MessagesDropped != 1 {
			t.Errorf("%s: counted %+v", test.at, st)
		}
		if closed := w.closes() == 1; closed != test.closed {
			t.Errorf("%s: a message was lost behind the answer; closed: %v, want %v", test.at, closed, test.closed)
		}
		r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		<-r.over
	}
}
