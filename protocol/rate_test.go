package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

func TestRateWithDefaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at       testkit.Line
		in, want protocol.Rate
	}{
		{testkit.Here(), protocol.Rate{}, protocol.Rate{}},
		{testkit.Here(), protocol.Rate{MessageBurst: 5, ByteBurst: 7, Close: true}, protocol.Rate{}}, // no bound
		{testkit.Here(), protocol.Rate{Messages: -1}, protocol.Rate{}},
		{testkit.Here(), protocol.Rate{Messages: 3}, protocol.Rate{Messages: 3, MessageBurst: 3}},
		{testkit.Here(), protocol.Rate{Bytes: 3, Close: true}, protocol.Rate{Bytes: 3, ByteBurst: 3, Close: true}},
		{testkit.Here(), protocol.Rate{Messages: 3, MessageBurst: 9, Bytes: -3, ByteBurst: 4}, protocol.Rate{Messages: 3, MessageBurst: 9}},
	} {
		if got := (protocol.Limits{Rate: test.in}).WithDefaults().Rate; got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.at, got, test.want)
		}
	}
}

// hearing keeps what it hears, and when.
type hearing struct {
	fakes.Handler
	begun time.Time
	heard []string
}

func newHearing() *hearing {
	h := &hearing{begun: time.Now()}
	h.OnReceive = func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
		h.heard = append(h.heard, fmt.Sprintf("%s@%v", m.Data, time.Since(h.begun).Round(time.Millisecond)))
		return nil
	}
	return h
}

// TestRateWaits: who sends too fast is not read from for as long as it takes, by
// transports that read and by those that deliver.
func TestRateWaits(t *testing.T) {
	t.Parallel()
	const want = "0@0s 1@0s 2@100ms 3@200ms 4@300ms"
	for _, way := range []string{"Receive", "Enqueue", "Deliver"} {
		for _, own := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				rate, h := protocol.Rate{Messages: 10, MessageBurst: 2}, newHearing()
				server := protocol.Limits{Rate: rate}
				if own { // its route's, in place of the server's
					server.Rate = protocol.Rate{Messages: 1000, Close: true}
					h.OnConnect = limits(protocol.Limits{Rate: rate}).OnConnect
				}
				r := open(t, &h.Handler, server)
				for i := range 5 {
					m := text(fmt.Sprint(i))
					if way == "Deliver" {
						if err := r.Deliver(t.Context(), m); err != nil {
							t.Error(err)
						}
						synctest.Wait()
						continue
					}
					more := r.handIn(way, m)
					synctest.Wait()
					if !more {
						resumed := make(chan struct{})
						r.Resume(func() { close(resumed) })
						<-resumed
					}
				}
				if got := strings.Join(h.heard, " "); got != want {
					t.Errorf("%s: heard %s, want %s", way, got, want)
				}
				pauses := int64(4) // Receive is told behind the last one, too
				if way == "Deliver" {
					pauses = 3
				}
				if st := r.counters.Stats(); st.RatePauses != pauses || st.MessagesUnread != 0 {
					t.Errorf("%s: counted %+v, want %d pauses", way, st, pauses)
				}
				r.vanish()
			})
		}
	}
}

// TestRateCloses: with Rate.Close who sends too fast is closed, and the message that was
// too much reaches nobody.
func TestRateCloses(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"Receive", "Enqueue", "Deliver"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHearing()
			r := open(t, &h.Handler, protocol.Limits{Rate: protocol.Rate{Messages: 10, MessageBurst: 2, Close: true}})
			say := func(s string) bool {
				if way == "Deliver" {
					err := r.Deliver(t.Context(), text(s))
					synctest.Wait()
					return err == nil
				}
				more := r.handIn(way, text(s))
				synctest.Wait()
				return more && r.wire.closes() == 0
			}
			if !say("0") || !say("1") {
				t.Errorf("%s: the burst was too much", way)
			}
			pass(100 * time.Millisecond)
			if !say("2") || say("3") {
				t.Errorf("%s: not one message more fitted after 100 ms", way)
			}
			if st := r.wire.closing(t); st.Code != protocol.ClosePolicyViolation || st.Reason != "messages sent too fast" {
				t.Errorf("%s: closed with %+v", way, st)
			}
			<-r.over
			st := r.counters.Stats()
			if got := strings.Join(h.heard, " "); got != "0@0s 1@0s 2@100ms" || st.RateClosed != 1 || st.MessagesUnread != 1 || st.RatePauses != 0 {
				t.Errorf("%s: heard %s, counted %+v", way, got, st)
			}
		})
	}
}

// TestRatePauseEndsWithTheConnection: a transport that waits, for an hour if it must, is
// let go when the connection ends.
func TestRatePauseEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHearing()
		r := open(t, &h.Handler, protocol.Limits{Rate: protocol.Rate{Bytes: 1}})
		if r.Receive(text(strings.Repeat("x", 3600))) {
			t.Fatal("the peer may go on")
		}
		resumed := make(chan struct{})
		r.Resume(func() { close(resumed) })
		delivered := make(chan error)
		go func() { delivered <- r.Deliver(context.Background(), text("x")) }()
		synctest.Wait()
		begun := time.Now()
		r.Conn().Close(4000, "")
		<-r.over
		if err := <-delivered; !errors.Is(err, protocol.ErrClosed) {
			t.Errorf("Deliver returned %v", err)
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := newHearing()
		r := open(t, &h.Handler, protocol.Limits{Rate: protocol.Rate{Bytes: 1}})
		r.Receive(text(strings.Repeat("x", 3600)))
		resumed := make(chan struct{})
		r.Resume(func() { close(resumed) })
		r.Conn().Close(4000, "")
		<-resumed
		<-r.over
	})
}

// TestRateBesideABusyCallback: the bound of what is read ahead holds as well, and both
// must allow the next message.
func TestRateBesideABusyCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		r := open(t, &g.Handler, protocol.Limits{ReadAhead: 1, Rate: protocol.Rate{Messages: 1, MessageBurst: 2}})
		go r.Receive(text("busy"))
		synctest.Wait()
		if r.Receive(text("waits")) {
			t.Fatal("the peer may go on")
		}
		begun, resumed := time.Now(), make(chan time.Duration, 1)
		r.Resume(func() { resumed <- time.Since(begun) })
		pass(5 * time.Second)
		if len(resumed) > 0 {
			t.Error("it reads on although as much waits as may")
		}
		close(g.opened)
		if d := <-resumed; d != 5*time.Second {
			t.Errorf("it reads on after %v", d)
		}
		r.vanish()
	})
}

// TestRateShortPauses has pauses of a microsecond, which are over before the session has
// set a timer: the transport reads on all the same.
func TestRateShortPauses(t *testing.T) {
	t.Parallel()
	r := open(t, &fakes.Handler{}, protocol.Limits{Rate: protocol.Rate{Messages: 1_000_000, MessageBurst: 1}})
	for n := range 10_000 {
		if r.Receive(text("x")) {
			continue
		}
		free := make(chan struct{})
		r.Resume(func() { close(free) })
		select {
		case <-free:
		case <-time.After(10 * time.Second):
			t.Fatalf("the transport was not told to read on after message %d", n)
		}
	}
}
