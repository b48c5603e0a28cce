package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// deliver is a request that brings a message. What it returns comes when it does.
func (r *rig) deliver(ctx context.Context, s string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.Deliver(ctx, text(s)) }()
	synctest.Wait()
	return done
}

// waits reports whether nothing has come yet.
func waits(done <-chan error) bool {
	synctest.Wait()
	return len(done) == 0
}

// TestDeliver_Race: every message is heard once, callbacks do not overlap, and
// those of one sender keep their order.
func TestDeliver_Race(t *testing.T) {
	t.Parallel()
	const senders, each = 16, 50
	heard := map[string][]string{} // the race detector finds callbacks that overlap
	r := open(t, &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
		from, n, _ := strings.Cut(m.Text(), " ")
		heard[from] = append(heard[from], n)
		return nil
	}}, protocol.Limits{ReadAhead: 500}) // room for seven
	var all sync.WaitGroup
	for from := range senders {
		all.Go(func() {
			for n := range each {
				if err := r.Deliver(t.Context(), text(fmt.Sprintf("%d %03d", from, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r.vanish()
	for from, got := range heard {
		if len(got) != each || !slices.IsSorted(got) {
			t.Errorf("of sender %s %v was heard", from, got)
		}
	}
	if in := r.Conn().Traffic().MessagesIn; len(heard) != senders || in != senders*each {
		t.Errorf("%d senders were heard, and %d messages counted", len(heard), in)
	}
}

// TestDeliver_Order: those who wait for room get it in the order of their calls,
// and nobody overtakes them.
func TestDeliver_Order(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		steps := make(chan struct{})
		var heard []string
		r := open(t, &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
			<-steps
			heard = append(heard, m.Text())
			return nil
		}}, protocol.Limits{ReadAhead: 1})
		var done []<-chan error
		for _, s := range []string{"0", "1", "2", "3", "4", "5"} { // one is being handled, one fits
			done = append(done, r.deliver(t.Context(), s))
		}
		for n := range 4 {
			if !waits(done[n+2]) {
				t.Fatalf("%d does not wait", n+2)
			}
			steps <- struct{}{}
			if waits(done[n+2]) {
				t.Errorf("%d waits although there is room", n+2)
			}
			done = append(done, r.deliver(t.Context(), fmt.Sprint(n+6)))
		}
		close(steps)
		for n, d := range done {
			if err := <-d; err != nil {
				t.Errorf("%d: %v", n, err)
			}
		}
		r.vanish()
		if got := strings.Join(heard, ""); got != "0123456789" {
			t.Errorf("heard %s", got)
		}
	})
}

// TestDeliver_Room is about how much is handed over while a callback is busy.
func TestDeliver_Room(t *testing.T) {
	t.Parallel()
	const each = 64 // what a message counts beside its bytes
	for _, test := range []struct {
		at    testkit.Line
		limit int
		sizes []int // the last has to wait
	}{
		{testkit.Here(), 1, []int{0, 0}},
		{testkit.Here(), 1, []int{1 << 20, 0}}, // one always fits
		{testkit.Here(), each, []int{0, 0}},
		{testkit.Here(), each + 1, []int{0, 0, 1 << 20}},
		{testkit.Here(), 1000, []int{900, 0, 0}},
		{testkit.Here(), 0, []int{protocol.Limits{}.WithDefaults().ReadAhead - each - 1, 0, 0}},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			r := open(t, &g.Handler, protocol.Limits{ReadAhead: test.limit})
			r.deliver(t.Context(), "busy")
			for i, size := range test.sizes {
				done := r.deliver(t.Context(), strings.Repeat("x", size))
				if last := i == len(test.sizes)-1; waits(done) != last {
					t.Errorf("%s: message %d waits: %t", test.at, i, !last)
				}
			}
			close(g.opened)
			synctest.Wait()
			if len(g.heard) != len(test.sizes)+1 {
				t.Errorf("%s: %d messages were heard", test.at, len(g.heard))
			}
			r.vanish()
		})
	}
}

// TestDeliver_End: whoever waits when the connection ends is told how it did, and
// has not sent anything that would have to be counted.
func TestDeliver_End(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     testkit.Line
		end    func(r *rig)
		code   protocol.CloseCode
		heard  string
		unread int64
	}{
		{testkit.Here(), func(r *rig) { r.Conn().Close(4001, "bye") }, 4001, "busy", 1},
		{testkit.Here(), func(r *rig) { r.Conn().CloseWith(errInternal) }, protocol.CloseInternalError, "busy", 1},
		{testkit.Here(), func(r *rig) { r.Ended(protocol.CloseStatus{Code: 1001, Remote: true}) }, 1001, "busy fits", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			r := open(t, &g.Handler, protocol.Limits{ReadAhead: 1})
			r.deliver(t.Context(), "busy")
			fits := r.deliver(t.Context(), "fits")
			forRoom := r.deliver(t.Context(), "room")
			forTurn := r.deliver(t.Context(), "turn")
			if !waits(forRoom) || !waits(forTurn) {
				t.Errorf("%s: nobody waits", test.at)
			}
			test.end(r)
			for what, done := range map[string]<-chan error{
				"room": forRoom, "turn": forTurn, "late": r.deliver(t.Context(), "late"),
			} {
				err := <-done
				ended, ok := errors.AsType[*protocol.CloseError](err)
				if !ok || ended.Code != test.code || err != context.Cause(r.Conn().Context()) || !errors.Is(err, net.ErrClosed) { //nolint:errorlint,err113 // this very value
					t.Errorf("%s: %s: got %v, want a close with %v", test.at, what, err, test.code)
				}
			}
			if err := <-fits; err != nil {
				t.Errorf("%s: what fits: %v", test.at, err)
			}
			close(g.opened)
			<-r.over
			if got := strings.Join(g.heard, " "); got != test.heard {
				t.Errorf("%s: heard %q, want %q", test.at, got, test.heard)
			}
			if unread := r.counters.Stats().MessagesUnread; unread != test.unread {
				t.Errorf("%s: %d were counted as unread, want %d", test.at, unread, test.unread)
			}
		})
	}
}

// TestDeliver_Early: before the answer messages wait behind it.
func TestDeliver_Early(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     testkit.Line
		err    error // of Connect
		status int   // of the refusal
		heard  string
		unread int64
	}{
		{testkit.Here(), nil, 0, "first second", 0},
		{testkit.Here(), protocol.NewRejectError(402, "pay first"), 402, "", 1},
		{testkit.Here(), protocol.NewCloseError(4001, "not you"), 403, "", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			decide := make(chan error)
			g := newGate()
			close(g.opened)
			g.OnConnect = func(context.Context, *protocol.Conn) error { return <-decide }
			r := newRig(g, protocol.Limits{ReadAhead: 1})
			go r.Open()
			first, second := r.deliver(t.Context(), "first"), r.deliver(t.Context(), "second")
			if waits(first) || !waits(second) || len(g.heard) > 0 {
				t.Errorf("%s: before the answer %q was heard; want one that has room, and one that waits", test.at, g.heard)
			}
			decide <- test.err
			if err := <-first; err != nil {
				t.Errorf("%s: the first: %v", test.at, err)
			}
			err := <-second
			if _, ended := errors.AsType[*protocol.CloseError](err); ended != (test.status != 0) {
				t.Errorf("%s: the second: %v", test.at, err)
			}
			synctest.Wait()
			if test.status != 0 && r.wire.rejection(t).Status != test.status {
				t.Errorf("%s: refused with %d", test.at, r.wire.rejection(t).Status)
			}
			r.vanish()
			if got := strings.Join(g.heard, " "); got != test.heard || r.counters.Stats().MessagesUnread != test.unread {
				t.Errorf("%s: heard %q and %d unread", test.at, got, r.counters.Stats().MessagesUnread)
			}
		})
	}
}

// TestDeliver_ClosedEarly: a connection that was closed before its answer takes no
// more, although Connect goes on.
func TestDeliver_ClosedEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		r := newRig(&fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { <-goOn; return nil }}, protocol.Limits{ReadAhead: 1})
		go r.Open()
		synctest.Wait()
		r.deliver(t.Context(), "fits")
		waiting := r.deliver(t.Context(), "waits")
		r.Conn().Close(4001, "bye")
		for what, done := range map[string]<-chan error{"who waits": waiting, "who is late": r.deliver(t.Context(), "late")} {
			if waits(done) {
				t.Fatalf("%s: waits for the end of Connect", what)
			}
			err := <-done
			if ended, ok := errors.AsType[*protocol.CloseError](err); !ok || ended.Code != 4001 {
				t.Errorf("%s: got %v, want the close", what, err)
			}
		}
		close(goOn)
		<-r.over
	})
}

// TestDeliver_Context: whoever has no more time leaves without a trace, and those
// behind go on.
func TestDeliver_Context(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		r := open(t, &g.Handler, protocol.Limits{ReadAhead: 1})
		errLate := errors.New("the request took too long")
		dead, cancel := context.WithCancelCause(t.Context())
		cancel(errLate)
		for range 20 { // also with a free turn and with room
			if err := r.Deliver(dead, text("dead")); err != errLate { //nolint:errorlint,err113 // this very value
				t.Errorf("with a ctx that has ended: %v", err)
			}
		}
		r.deliver(t.Context(), "busy")
		r.deliver(t.Context(), "fits")
		soon, stopSoon := context.WithTimeoutCause(t.Context(), time.Second, errLate)
		defer stopSoon()
		later, stop := context.WithTimeoutCause(t.Context(), 2*time.Second, errLate)
		defer stop()
		start := time.Now()
		forRoom, forTurn := r.deliver(later, "room"), r.deliver(soon, "turn")
		next, last := r.deliver(t.Context(), "next"), r.deliver(t.Context(), "last")
		for n, done := range []<-chan error{forTurn, forRoom} {
			if err := <-done; err != errLate { //nolint:errorlint,err113 // this very value
				t.Errorf("%d: got %v, want ctx's cause", n, err)
			}
			if took, want := time.Since(start), time.Duration(n+1)*time.Second; took != want {
				t.Errorf("%d: it took %v, want %v", n, took, want)
			}
		}
		if !waits(next) || !waits(last) {
			t.Error("those behind have not waited")
		}
		close(g.opened)
		if err := errors.Join(<-next, <-last); err != nil {
			t.Errorf("those behind: %v", err)
		}
		r.vanish()
		if got := strings.Join(g.heard, " "); got != "busy fits next last" {
			t.Errorf("heard %q", got)
		}
	})
}

// TestDeliver_Fault: a callback that panics, or ends its goroutine, ends the
// connection and not the goroutine of whoever has brought the message.
func TestDeliver_Fault(t *testing.T) {
	t.Parallel()
	for what, fault := range map[string]func(){"panic": func() { panic("a fault") }, "Goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			hold, disconnected := make(chan struct{}), 0
			r := open(t, &fakes.Handler{
				OnReceive:    func(context.Context, *protocol.Conn, protocol.Message) error { <-hold; fault(); return nil },
				OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { disconnected++ },
			}, protocol.Limits{ReadAhead: 1})
			first, fits, behind := r.deliver(t.Context(), "1"), r.deliver(t.Context(), "2"), r.deliver(t.Context(), "3")
			if waits(first) || waits(fits) || !waits(behind) {
				t.Errorf("%s: a caller is held up by the callback, or nobody waits for room", what)
			}
			close(hold)
			if err := errors.Join(<-first, <-fits); err != nil {
				t.Errorf("%s: what was handed over: %v", what, err)
			}
			ended, ok := errors.AsType[*protocol.CloseError](<-behind)
			if !ok || ended.Code != protocol.CloseInternalError {
				t.Errorf("%s: what was behind it got %v", what, ended)
			}
			<-r.over
			if disconnected != 1 {
				t.Errorf("%s: %d Disconnects", what, disconnected)
			}
		})
	}
}

// TestDeliver_Copies: the caller's buffer is its own again.
func TestDeliver_Copies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		r := open(t, &g.Handler, protocol.Limits{})
		buf := []byte("text")
		if err := r.Deliver(t.Context(), protocol.Message{Data: buf}); err != nil {
			t.Fatal(err)
		}
		scribble(buf)
		close(g.opened)
		r.vanish()
		if got := strings.Join(g.heard, " "); got != "text" {
			t.Errorf("heard %q", got)
		}
	})
}

// TestDeliver_Scheduler: callbacks run where the transport has them run.
func TestDeliver_Scheduler(t *testing.T) {
	t.Parallel()
	heard := ""
	s, loop := allocSession(t, &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
		heard += m.Text()
		return nil
	}}, protocol.Limits{})
	for _, m := range []string{"a", "b"} {
		if err := s.Deliver(t.Context(), text(m)); err != nil || heard != "" {
			t.Errorf("%v, and %q was heard before the loop has run", err, heard)
		}
	}
	loop.loop()
	if heard != "ab" {
		t.Errorf("heard %q", heard)
	}
}

// TestDeliver_AnEndFromOurSide: of what requests have brought nothing is handed over
// once a callback has ended the connection, although the peer has before.
func TestDeliver_AnEndFromOurSide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		heard := 0
		busy := make(chan struct{})
		r := open(t, &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
			heard++
			<-busy
			return protocol.NewCloseError(4401, "wrong PIN")
		}}, protocol.Limits{ReadAhead: 2 * 64})
		var done []<-chan error
		for _, s := range []string{"1", "2", "3", "4"} { // there is no room for the last one
			done = append(done, r.deliver(t.Context(), s))
		}
		r.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
		close(busy)
		<-r.over
		for i, d := range done {
			if err := <-d; (err == nil) != (i < 3) {
				t.Errorf("message %d: %v", i+1, err)
			}
		}
		if st := r.counters.Stats(); heard != 1 || st.MessagesUnread != 2 {
			t.Errorf("%d handed over, counted %+v", heard, st)
		}
	})
}
