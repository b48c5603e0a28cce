package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// gate is a handler whose callbacks wait until it is opened.
type gate struct {
	fakes.Handler
	heard  []string // by Receive, after the wait
	opened chan struct{}
}

func newGate() *gate {
	g := &gate{opened: make(chan struct{})}
	g.OnReceive = func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
		<-g.opened
		g.heard = append(g.heard, m.Text())
		return nil
	}
	g.OnEvent = func(context.Context, *protocol.Conn, *protocol.Event) error { <-g.opened; return nil }
	return g
}

// TestPromise5_QueuedMessagesAreCopies: a message that waits is the session's
// own, and one that does not is the engine's.
func TestPromise5_QueuedMessagesAreCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		r := open(t, &g.Handler, protocol.Limits{})
		first := []byte("first")
		go r.Receive(protocol.Message{Data: first})
		synctest.Wait()
		second := []byte("second")
		r.Receive(protocol.Message{Data: second})
		scribble(second)
		close(g.opened)
		r.vanish()
		if got := strings.Join(g.heard, " "); got != "first second" {
			t.Errorf("heard %q", got)
		}
	})
	var lent []byte
	r := open(t, &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error { lent = m.Data; return nil }}, protocol.Limits{})
	engines := []byte("engine's")
	r.Receive(protocol.Message{Data: engines})
	if &lent[0] != &engines[0] {
		t.Error("a message was copied although nothing had to wait")
	}
	r.vanish()
}

// TestPromise5_SendsKeepNothing: the sender's buffer is its own again when a
// send returns, whatever has become of the message.
func TestPromise5_SendsKeepNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, full := fullWire()
		buf := make([]byte, 5)
		say := func(c *protocol.Conn, s string) {
			copy(buf, s)
			if err := c.Send(t.Context(), protocol.Message{Data: buf}); err != nil {
				t.Errorf("Send(%s): %v", s, err)
			}
			scribble(buf)
		}
		h := &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error { say(c, "early"); return nil }}
		r := openOn(t, w, h, protocol.Limits{Overflow: protocol.OverflowBlock})
		say(r.Conn(), "later")
		full.Store(true)
		go func() {
			pass(time.Second)
			full.Store(false)
			r.Drained()
		}()
		say(r.Conn(), "block")
		copy(buf, "share")
		p := protocol.Prepare(protocol.Message{Data: buf})
		scribble(buf)
		if err := r.Conn().Offer(p); err != nil {
			t.Error(err)
		}
		if got := w.sent(); got != "early later block share" {
			t.Errorf("sent %q", got)
		}
		r.vanish()
	})
}

func TestPromise6_ReadAhead(t *testing.T) {
	t.Parallel()
	const each = 64 // what a message counts beside its bytes
	for _, test := range []struct {
		at    testkit.Line
		limit int
		sizes []int
		more  []bool
	}{
		{testkit.Here(), 1, []int{0}, []bool{false}},
		{testkit.Here(), 1, []int{1 << 20}, []bool{false}}, // one always fits
		{testkit.Here(), each, []int{0}, []bool{false}},
		{testkit.Here(), each + 1, []int{0, 0}, []bool{true, false}},
		{testkit.Here(), 3 * each, []int{0, 0, 0}, []bool{true, true, false}},
		{testkit.Here(), 1000, []int{900, 0}, []bool{true, false}},
		{testkit.Here(), 0, []int{protocol.Limits{}.WithDefaults().ReadAhead - each - 1, 0}, []bool{true, false}},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			r := open(t, &g.Handler, protocol.Limits{ReadAhead: test.limit})
			go r.Receive(text("busy"))
			synctest.Wait()
			for i, size := range test.sizes {
				way := []string{"Receive", "Enqueue"}[i%2]
				if more := r.handIn(way, protocol.Message{Data: make([]byte, size)}); more != test.more[i] {
					t.Errorf("%s: message %d of %d bytes: may go on reading: %v, want %v", test.at, i, size, more, test.more[i])
				}
			}
			resumed := 0
			r.Resume(func() { t.Errorf("%s: a function that was replaced is called", test.at) })
			r.Resume(func() { resumed++ })
			synctest.Wait()
			if resumed != 0 {
				t.Errorf("%s: reading was resumed while the callback is busy", test.at)
			}
			close(g.opened)
			synctest.Wait()
			if resumed != 1 || len(g.heard) != len(test.sizes)+1 {
				t.Errorf("%s: resumed %d times, heard %d messages", test.at, resumed, len(g.heard))
			}
			r.Resume(func() { resumed++ })
			if resumed != 2 {
				t.Errorf("%s: with room there was no resuming at once", test.at)
			}
			r.vanish()
		})
	}
}

// TestPromise6_ReadingResumesAtTheEnd: an engine that has stopped reading must
// not wait for ever.
func TestPromise6_ReadingResumesAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, local := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			r := open(t, &g.Handler, protocol.Limits{ReadAhead: 1})
			go r.Receive(text("busy"))
			synctest.Wait()
			r.Receive(text("waits"))
			resumed := 0
			r.Resume(func() { resumed++ })
			if local {
				r.Conn().Close(4001, "")
			} else {
				r.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
			}
			if resumed != 1 {
				t.Errorf("local %v: resumed %d times, want once", local, resumed)
			}
			r.Resume(func() { resumed++ })
			if resumed != 2 {
				t.Errorf("local %v: not resumed at once after the end", local)
			}
			close(g.opened)
			<-r.over
			unread := r.counters.Stats().MessagesUnread
			if got := int64(len(g.heard)) + unread; got != 2 || local != (unread == 1) {
				t.Errorf("local %v: heard %v and %d unread, want 2 together", local, g.heard, unread)
			}
		})
	}
}

// TestPromise6_TransportThatReadsOn: a transport that ignores the bound loses
// its connection, and no message without its being counted.
func TestPromise6_TransportThatReadsOn(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"Receive", "Enqueue"} {
		synctest.Test(t, func(t *testing.T) { testTransportThatReadsOn(t, way) })
	}
}

func testTransportThatReadsOn(t *testing.T, way string) {
	t.Helper()
	g := newGate()
	r := open(t, &g.Handler, protocol.Limits{ReadAhead: 100})
	go r.Receive(text("busy"))
	synctest.Wait()
	const handed = 6
	for range handed - 1 {
		r.handIn(way, text("more"))
	}
	if st := r.wire.closing(t); st.Code != protocol.CloseInternalError || len(r.logs.having("error")) != 1 {
		t.Errorf("closed with %v, %d lines logged", st.Code, r.logs.count())
	}
	close(g.opened)
	<-r.over
	if got := int64(len(g.heard)) + r.counters.Stats().MessagesUnread; got != handed {
		t.Errorf("heard %d and counted %d as unread, of %d", len(g.heard), r.counters.Stats().MessagesUnread, handed)
	}
}

// TestPromise6_QueueEvents posts to a consumer whose callback is busy: a burst may go
// to four times the limit, and what comes after a second to the limit.
func TestPromise6_QueueEvents(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     testkit.Line
		limits protocol.Limits
		before int           // events that wait at first
		pause  time.Duration // then
		fit    int           // more
	}{
		{testkit.Here(), protocol.Limits{QueueEvents: 1}, 0, 0, 4},
		{testkit.Here(), protocol.Limits{QueueEvents: 3}, 0, 0, 12},
		{testkit.Here(), protocol.Limits{}, 0, 0, 4 * protocol.Limits{}.WithDefaults().QueueEvents},
		{testkit.Here(), protocol.Limits{QueueEvents: 10}, 6, 999 * time.Millisecond, 34},
		{testkit.Here(), protocol.Limits{QueueEvents: 10}, 6, time.Second, 4},
		{testkit.Here(), protocol.Limits{QueueEvents: 10}, 5, time.Hour, 35}, // half full is not behind
		{testkit.Here(), protocol.Limits{QueueEvents: 10}, 12, time.Second, 0},
		{testkit.Here(), protocol.Limits{QueueEventBytes: 10 * eventSize}, 0, 0, 40},
		{testkit.Here(), protocol.Limits{QueueEventBytes: 10 * eventSize}, 6, time.Second, 4},
		{testkit.Here(), protocol.Limits{QueueEventBytes: 1}, 0, 0, 1}, // one always fits
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			r := open(t, &g.Handler, test.limits)
			go r.Receive(text("busy"))
			synctest.Wait()
			r.postAll(t, test.at, test.before)
			<-time.After(test.pause)
			r.postAll(t, test.at, test.fit)
			if err := r.Conn().Post(shouted.New(loud())); !errors.Is(err, protocol.ErrBusy) {
				t.Errorf("%s: one event too many returned %v", test.at, err)
			}
			if st := r.wire.closing(t); st.Code != protocol.CloseTryAgainLater {
				t.Errorf("%s: closed with %v", test.at, st.Code)
			}
			close(g.opened)
			<-r.over
			if st := r.counters.Stats(); st.BusyClosed != 1 || st.EventsDropped != int64(test.before+test.fit)+1 {
				t.Errorf("%s: counted %+v", test.at, st)
			}
		})
	}
}

// postAll posts events that fit.
func (r *rig) postAll(t *testing.T, at testkit.Line, n int) {
	t.Helper()
	for i := range n {
		if err := r.Conn().Post(shouted.New(loud())); err != nil || r.wire.closes() != 0 {
			t.Fatalf("%s: event %d of %d: %v, closed %d times", at, i, n, err, r.wire.closes())
		}
	}
}

// shouted is an event whose payload has a known size.
var shouted = protocol.EventType[map[string]string]{Name: "shouted"}

// loud is a payload that is encoded in 100 bytes: a map with a name of one byte and a
// text, which have headers of 1, 1 and 2 bytes.
func loud() map[string]string { return map[string]string{"n": strings.Repeat("x", 95)} }

const eventSize = 100 + 64

// TestPromise6_QueueEventsRecovers: a consumer that has caught up has another second
// for the next burst, however long ago the first one was.
func TestPromise6_QueueEventsRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		r := open(t, &fakes.Handler{OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error { <-let; return nil }},
			protocol.Limits{QueueEvents: 10})
		r.postAll(t, testkit.Here(), 1) // which is being handled
		synctest.Wait()
		for range 5 {
			if r.Conn().ShouldYield() {
				t.Error("a sender is to yield to a mailbox that is not half full")
			}
			r.postAll(t, testkit.Here(), 15)
			if !r.Conn().ShouldYield() {
				t.Error("no sender yields")
			}
			<-time.After(900 * time.Millisecond)
			for range 15 {
				let <- struct{}{}
			}
			synctest.Wait()
			<-time.After(900 * time.Millisecond)
		}
		r.postAll(t, testkit.Here(), 6)
		<-time.After(time.Second)
		r.postAll(t, testkit.Here(), 1)
		if r.Conn().ShouldYield() {
			t.Error("a sender is to yield to a consumer that has not run for a second")
		}
		close(let)
		synctest.Wait()
		r.vanish()
	})
}

// TestBusyIsLogged: what closed the connection, which event it was, and how often.
func TestBusyIsLogged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     testkit.Line
		pause  time.Duration // behind
		msg    string
		behind string
	}{
		{testkit.Here(), 0, "wye: events were sent faster than a consumer could handle them; its connection was closed with 1013", "0s"},
		{testkit.Here(), 3 * time.Second, "wye: a consumer did not handle its events in time; its connection was closed with 1013", "3s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			r := open(t, &g.Handler, protocol.Limits{QueueEvents: 4})
			go r.Receive(text("busy"))
			synctest.Wait()
			r.postAll(t, test.at, 4)
			<-time.After(test.pause)
			err := error(nil)
			for err == nil {
				err = r.Conn().Post(shouted.New(loud()))
			}
			lines := r.logs.having("waiting")
			if len(lines) != 1 || lines[0].text != test.msg || lines[0].attrs["type"] != "shouted" || lines[0].attrs["behind"] != test.behind {
				t.Errorf("%s: logged %v", test.at, lines)
			}
			if got := r.Conn().Post(shouted.New(loud())).Error(); strings.Count(got, "too many events") != 1 {
				t.Errorf("%s: the error says %q", test.at, got)
			}
			close(g.opened)
			<-r.over
		})
	}
}

func TestPromise6_QueueBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at    testkit.Line
		limit int
		sizes []int
		fit   int
	}{
		{testkit.Here(), 1, []int{1 << 20, 0}, 1}, // one always fits
		{testkit.Here(), 128, []int{0, 0, 0}, 2},
		{testkit.Here(), 127, []int{0, 0}, 1},
		{testkit.Here(), 200, []int{10, 10, 0}, 2},
		{testkit.Here(), 0, []int{protocol.Limits{}.WithDefaults().QueueBytes - 64, 0}, 1},
	} {
		for _, way := range []string{"Send", "SendPrepared", "Offer"} {
			for _, policy := range []protocol.Overflow{protocol.OverflowClose, protocol.OverflowDropNewest, protocol.OverflowBlock} {
				queueEarly(t, test.at, way, protocol.Limits{QueueBytes: test.limit, Overflow: policy}, test.sizes, test.fit)
			}
		}
	}
}

// queueEarly sends messages before the answer, of which the first ones fit.
func queueEarly(t *testing.T, at testkit.Line, way string, limits protocol.Limits, sizes []int, fit int) {
	t.Helper()
	r := newRig(&fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
		for i, size := range sizes {
			err := send(ctx, way, c, protocol.Message{Data: bytes.Repeat([]byte("x"), size)})
			if fits := i < fit; fits != (err == nil) || !fits && !errors.Is(err, protocol.ErrQueueFull) {
				t.Errorf("%s: %s %d of %d bytes: %v", at, way, i, size, err)
			}
		}
		return nil
	}}, limits)
	if !r.Open() || len(r.wire.mu.sent) != fit {
		t.Errorf("%s: %s: %d messages followed the answer, want %d", at, way, len(r.wire.mu.sent), fit)
	}
	if st := r.counters.Stats(); st.MessagesDropped != 0 || st.SlowClosed != 0 {
		t.Errorf("%s: %s: counted %+v although the sender was told", at, way, st)
	}
	r.vanish()
}

func TestPromise6_UnknownEventsAreLoggedOncePerType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := open(t, &fakes.Handler{OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error {
			return fmt.Errorf("no: %w", plumbing.ErrEventUnknown)
		}}, protocol.Limits{})
		for _, typ := range []string{"a", "b", "a", "a"} {
			if err := r.Conn().Post(protocol.EventType[map[string]int]{Name: typ}.New(nil)); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if lines := r.logs.having("type"); len(lines) != 2 || r.counters.Stats().EventsUnknown != 4 || r.wire.closes() != 0 {
			t.Errorf("%d lines, %+v, closed %d times", len(lines), r.counters.Stats(), r.wire.closes())
		}
		r.vanish()
	})
}
