package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

// ourEnd is a way for our side to end a connection.
type ourEnd struct {
	at     testkit.Line
	name   string
	inside bool // a callback does, otherwise another goroutine
	do     func(c *protocol.Conn) error
	status protocol.CloseStatus
}

func ourEnds() []ourEnd {
	const inside, outside = true, false
	failed := protocol.CloseStatus{Code: protocol.CloseInternalError}
	shutdown := protocol.CloseStatus{Code: protocol.CloseGoingAway, Reason: "the server is shutting down"}
	return []ourEnd{
		{testkit.Here(), "Close returned", inside, func(*protocol.Conn) error { return protocol.NewCloseError(4401, "wrong PIN") }, protocol.CloseStatus{Code: 4401, Reason: "wrong PIN"}},
		{testkit.Here(), "Close returned, and the error of a send", inside, func(c *protocol.Conn) error {
			return errors.Join(c.Send(context.Background(), text("x")), protocol.NewCloseError(4404, ""))
		}, protocol.CloseStatus{Code: 4404}},
		{testkit.Here(), "an error returned, and that of a send", inside, func(c *protocol.Conn) error {
			return errors.Join(c.Send(context.Background(), text("x")), errInternal)
		}, failed},
		{testkit.Here(), "an error returned", inside, func(*protocol.Conn) error { return errInternal }, failed},
		{testkit.Here(), "a panic", inside, func(*protocol.Conn) error { panic(secret) }, failed},
		{testkit.Here(), "Goexit", inside, func(*protocol.Conn) error { runtime.Goexit(); return nil }, failed},
		{testkit.Here(), "Close called in the callback", inside, func(c *protocol.Conn) error { c.Close(4402, ""); return nil }, protocol.CloseStatus{Code: 4402}},
		{testkit.Here(), "CloseWith called in the callback", inside, func(c *protocol.Conn) error { c.CloseWith(nil); return nil }, protocol.CloseStatus{Code: protocol.CloseNormal}},
		{testkit.Here(), "Close called", outside, func(c *protocol.Conn) error { c.Close(4403, "kicked"); return nil }, protocol.CloseStatus{Code: 4403, Reason: "kicked"}},
		{testkit.Here(), "Close with a bad code", outside, func(c *protocol.Conn) error { c.Close(protocol.CloseNoStatus, ""); return nil }, failed},
		{testkit.Here(), "CloseWith called", outside, func(c *protocol.Conn) error { c.CloseWith(errInternal); return nil }, failed},
		{testkit.Here(), "CloseAll", outside, func(c *protocol.Conn) error {
			gone := make(chan struct{})
			close(gone)
			return admission.CloseAll(context.Background(), []*protocol.Conn{c}, gone, admission.ShutdownOptions{})
		}, shutdown},
	}
}

// meeting is a connection with messages and events that wait, on which the peer's
// end and ours meet.
type meeting struct {
	*rig
	ours    *ourEnd
	started []string      // callbacks
	last    string        // the callback that ends the connection
	gate    chan struct{} // lets the callback that is running go on
	told    []protocol.CloseStatus
	queued  int // messages and events that were queued
}

var peersEnd = protocol.CloseStatus{Code: 4999, Reason: "peer", Remote: true} //nolint:gochecknoglobals // a table's

// callback is Receive and Event.
func (m *meeting) callback(c *protocol.Conn, name string) error {
	m.started = append(m.started, name)
	if name != m.last {
		return nil
	}
	<-m.gate
	if !m.ours.inside {
		return nil
	}
	return m.ours.do(c)
}

func (m *meeting) handler() *fakes.Handler {
	return &fakes.Handler{
		OnReceive: func(_ context.Context, c *protocol.Conn, msg protocol.Message) error {
			return m.callback(c, msg.Text())
		},
		OnEvent: func(_ context.Context, c *protocol.Conn, e *protocol.Event) error { return m.callback(c, e.Type()) },
		OnDisconnect: func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) {
			m.told = append(m.told, s)
		},
	}
}

// fill queues messages m0, m1 ... and the events e0, e1 ... in turn.
func (m *meeting) fill(n int) {
	for i := range n {
		go m.Receive(text("m" + strconv.Itoa(i)))
		synctest.Wait()
		_ = m.Conn().Post(protocol.EventType[struct{}]{Name: "e" + strconv.Itoa(i)}.New(struct{}{}))
		synctest.Wait()
	}
	m.queued = 2 * n
}

// end is our end.
func (m *meeting) end(t *testing.T) {
	t.Helper()
	if !m.ours.inside {
		if err := m.ours.do(m.Conn()); err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
	if m.gate != nil {
		close(m.gate)
	}
	synctest.Wait()
}

// meet has the ends come in that order.
func (m *meeting) meet(t *testing.T, ends string) {
	t.Helper()
	for _, by := range ends {
		switch by {
		case 'o':
			m.end(t)
		case 'c':
			m.Conn().Close(4000, "")
		case 'p':
			m.Ended(peersEnd)
		case 'n':
			m.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		}
		synctest.Wait()
	}
}

// TestAnEndFromOurSideEndsTheCalling lets every end from our side meet the peer's in
// every order: no callback starts after ours, what waits is counted, and the first
// end is the one that Disconnect is told.
func TestAnEndFromOurSideEndsTheCalling(t *testing.T) {
	t.Parallel()
	orders := []struct {
		at   testkit.Line
		ends string // in order: o is ours, c a call of Close besides, p the peer's, n the network's
		last string // the callback that ends the connection, or that is running then
		want string
	}{
		{testkit.Here(), "o", "m0", "m0"},
		{testkit.Here(), "op", "m0", "m0"},
		{testkit.Here(), "op", "e0", "m0 e0"},
		{testkit.Here(), "po", "m0", "m0"},
		{testkit.Here(), "po", "e0", "m0 e0"},
		{testkit.Here(), "pno", "m0", "m0"},
		{testkit.Here(), "pco", "m0", "m0"},
		{testkit.Here(), "ocp", "m0", "m0"},
	}
	for _, order := range orders {
		for _, o := range ourEnds() {
			t.Run(order.ends+"/"+order.last+"/"+o.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := &meeting{ours: &o, last: order.last, gate: make(chan struct{})}
					m.rig = open(t, m.handler(), protocol.Limits{})
					m.fill(4)
					m.meet(t, order.ends)
					<-m.over
					m.check(t, order.at, order.want, order.ends[0] == 'o')
				})
			})
		}
	}
}

// TestAnEndInAFinalCallback: of what the peer had said before it closed, a part was
// handed over when our end came.
func TestAnEndInAFinalCallback(t *testing.T) {
	t.Parallel()
	for _, o := range ourEnds() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &meeting{ours: &o, last: "m2", gate: make(chan struct{})}
				h := m.handler()
				busy := make(chan struct{})
				m.rig = open(t, &fakes.Handler{OnEvent: h.OnEvent, OnDisconnect: h.OnDisconnect, OnReceive: func(ctx context.Context, c *protocol.Conn, msg protocol.Message) error {
					if msg.Text() == "m0" {
						<-busy
					}
					err := h.OnReceive(ctx, c, msg)
					if closed := err == nil; msg.Text() == m.last && closed != (ctx.Err() != nil) {
						t.Errorf("%s: closed: %v, and the ctx of the final callback ended with %v", o.at, closed, ctx.Err())
					}
					return err
				}}, protocol.Limits{})
				m.fill(5)
				m.meet(t, "p")
				close(busy)
				synctest.Wait()
				m.end(t)
				<-m.over
				m.check(t, o.at, "m0 m1 m2", false)
			})
		})
	}
}

// check compares what the handler was told with what it should have been.
func (m *meeting) check(t *testing.T, at testkit.Line, want string, oursFirst bool) {
	t.Helper()
	status := peersEnd
	if oursFirst {
		status = m.ours.status
	}
	if got := strings.Join(m.started, " "); got != want {
		t.Errorf("%s, %s: called for %q, want %q", at, m.ours.at, got, want)
	}
	if len(m.told) != 1 || m.told[0].Code != status.Code || m.told[0].Reason != status.Reason || m.told[0].Remote != status.Remote {
		t.Errorf("%s, %s: Disconnect was told %+v, want %+v", at, m.ours.at, m.told, status)
	}
	st := m.counters.Stats()
	if got := int(st.MessagesUnread+st.EventsDropped) + len(m.started); got != m.queued || m.queued > 0 && st.EventsDropped == 0 {
		t.Errorf("%s, %s: %d of %d accounted for: %+v", at, m.ours.at, got, m.queued, st)
	}
	if lines := m.logs.count(); int64(lines) != st.Failures && m.ours.status.Code != protocol.CloseInternalError {
		t.Errorf("%s, %s: %d log lines for %d failures", at, m.ours.at, lines, st.Failures)
	}
}

// TestBothEndsBeforeTheFirstCallback: the two ends meet while the handshake is
// answered, or between the peer's last word and the callback for it.
func TestBothEndsBeforeTheFirstCallback(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		ends string // in order: o is ours, p is the peer's
		want string
	}{
		{testkit.Here(), "p", "m0 m1 m2"},
		{testkit.Here(), "o", ""},
		{testkit.Here(), "op", ""},
		{testkit.Here(), "po", ""},
		{testkit.Here(), "ppo", ""},
	} {
		for _, o := range ourEnds() {
			if o.inside {
				continue // there is no callback yet
			}
			t.Run("answering/"+test.ends+"/"+o.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := &meeting{ours: &o}
					w := &wire{accept: func() error { m.fill(3); m.meet(t, test.ends); return nil }}
					m.rig = newRigOn(w, m.handler(), protocol.Limits{})
					m.Open()
					<-m.over
					m.check(t, test.at, test.want, test.ends[0] == 'o')
				})
			})
			t.Run("due/"+test.ends+"/"+o.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := &meeting{ours: &o}
					var later *laterScheduler
					m.rig, later = newLaterRig(m.handler(), protocol.Limits{})
					m.Open()
					_ = m.Conn().Post(protocol.EventType[struct{}]{Name: "first"}.New(struct{}{})) // is due, so that the rest waits
					m.fill(3)
					m.queued++
					m.meet(t, test.ends)
					later.turn()
					<-m.over
					m.check(t, test.at, test.want, test.ends[0] == 'o')
				})
			})
		}
	}
}

// TestFinalCallbacksAreBounded: what the peer had said before it closed holds up the
// end of the connection for FinalTime and one callback, whatever waits, and no more
// than FinalMessages of it are handed over.
func TestFinalCallbacksAreBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at      testkit.Line
		takes   time.Duration // one callback
		waiting int
		heeds   bool // the callback stops when its ctx ends
		want    int  // final callbacks
		took    time.Duration
	}{
		{testkit.Here(), 0, 10, false, 10, 0},
		{testkit.Here(), 0, plumbing.FinalMessages, false, plumbing.FinalMessages, 0},
		{testkit.Here(), 0, plumbing.FinalMessages + 10, false, plumbing.FinalMessages, 0},
		{testkit.Here(), 30 * time.Millisecond, 1000, false, 34, 1020 * time.Millisecond},
		{testkit.Here(), 300 * time.Millisecond, 10, false, 4, 1200 * time.Millisecond},
		{testkit.Here(), 300 * time.Millisecond, 10, true, 4, plumbing.FinalTime},
		{testkit.Here(), time.Hour, 10, true, 1, plumbing.FinalTime},
	} {
		synctest.Test(t, func(t *testing.T) {
			finals := 0
			busy := make(chan struct{})
			var left time.Duration // for Disconnect
			r := open(t, &fakes.Handler{
				OnReceive: func(ctx context.Context, _ *protocol.Conn, m protocol.Message) error {
					if m.Text() == "busy" {
						<-busy
						return nil
					}
					finals++
					var ended <-chan struct{}
					if test.heeds {
						ended = ctx.Done()
					}
					select {
					case <-time.After(test.takes):
					case <-ended:
						return ctx.Err() // is no failure
					}
					return nil
				},
				OnDisconnect: func(ctx context.Context, _ *protocol.Conn, _ protocol.CloseStatus) {
					until, _ := ctx.Deadline()
					left = time.Until(until)
				},
			}, protocol.Limits{ReadAhead: 1 << 20})
			go r.Receive(text("busy"))
			synctest.Wait()
			for range test.waiting {
				r.Receive(text("x"))
			}
			r.Ended(peersEnd)
			pass(time.Minute) // the callback that is running may take as long as it likes
			began := time.Now()
			close(busy)
			<-r.over
			if took := time.Since(began); finals != test.want || took != test.took {
				t.Errorf("%s: %d final callbacks within %v, want %d within %v", test.at, finals, took, test.want, test.took)
			}
			st := r.counters.Stats()
			if st.MessagesUnread != int64(test.waiting-finals) || st.Failures != 0 || r.logs.count() != 0 || left != 10*time.Second {
				t.Errorf("%s: counted %+v, logged %d lines; Disconnect had %v", test.at, st, r.logs.count(), left)
			}
		})
	}
}

// TestFinalContext: a Receive that the peer's end has interrupted gets a moment more.
func TestFinalContext(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at    testkit.Line
		end   func(r *rig)
		final bool
	}{
		{testkit.Here(), func(*rig) {}, false},
		{testkit.Here(), func(r *rig) { r.Conn().Close(4000, "") }, false},
		{testkit.Here(), func(r *rig) { r.Ended(peersEnd) }, true},
		{testkit.Here(), func(r *rig) { r.Ended(peersEnd); r.Conn().Close(4000, "") }, false},
		{testkit.Here(), func(r *rig) { r.Conn().Close(4000, ""); r.Ended(peersEnd) }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var r *rig
			var finals []context.Context // of the message that waits
			r = open(t, &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
				if m.Text() == "next" {
					finals = append(finals, ctx)
					return nil
				}
				r.Receive(text("next"))
				test.end(r)
				final := c.FinalContext()
				if own := final == c.Context(); own == test.final || own && final != ctx {
					t.Errorf("%s: it is the connection's own: %v", test.at, own)
				}
				if test.final {
					until, _ := final.Deadline()
					if left := time.Until(until); left != plumbing.FinalTime || final.Err() != nil || ctx.Err() == nil {
						t.Errorf("%s: it ends in %v (%v), and ctx with %v", test.at, left, final.Err(), ctx.Err())
					}
				}
				return nil
			}}, protocol.Limits{})
			r.Receive(text("first"))
			if test.final != (len(finals) == 1 && finals[0] != r.Conn().Context()) {
				t.Errorf("%s: the message that waited was handed over with %v", test.at, finals)
			}
			r.vanish()
			if r.Conn().FinalContext() != r.Conn().Context() {
				t.Errorf("%s: there is one more when all is over", test.at)
			}
		})
	}
}

// TestPassingOnTheEndIsNotAnEnd: a callback that returns what a send or its ctx has
// told it goes on; so the rest of what the peer had said is handed over.
func TestPassingOnTheEndIsNotAnEnd(t *testing.T) {
	t.Parallel()
	send := func(_ context.Context, c *protocol.Conn) error { return c.Send(context.Background(), text("x")) }
	for _, test := range []struct {
		at  testkit.Line
		err func(ctx context.Context, c *protocol.Conn) error
	}{
		{testkit.Here(), send},
		{testkit.Here(), func(ctx context.Context, c *protocol.Conn) error { return fmt.Errorf("answering: %w", send(ctx, c)) }},
		{testkit.Here(), func(ctx context.Context, c *protocol.Conn) error { return errors.Join(send(ctx, c), send(ctx, c)) }},
		{testkit.Here(), func(_ context.Context, c *protocol.Conn) error { return c.Context().Err() }},
		{testkit.Here(), func(_ context.Context, c *protocol.Conn) error { return context.Cause(c.Context()) }},
		{testkit.Here(), func(ctx context.Context, c *protocol.Conn) error { return errors.Join(send(ctx, c), c.Context().Err()) }},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return protocol.ErrClosed }},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return protocol.ErrSlow }},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return protocol.ErrDropped }},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return plumbing.ErrUnread }},
		{testkit.Here(), func(context.Context, *protocol.Conn) error { return nil }},
	} {
		synctest.Test(t, func(t *testing.T) {
			heard := 0
			var r *rig
			r = open(t, &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
				heard++
				if heard == 1 {
					r.Receive(text("2"))
					r.Receive(text("3"))
					r.Ended(peersEnd)
				}
				return test.err(ctx, c)
			}}, protocol.Limits{})
			r.Receive(text("1"))
			<-r.over
			if st := r.counters.Stats(); heard != 3 || st.Failures != 0 || r.logs.count() != 0 {
				t.Errorf("%s: %d of 3 handed over, %d lines logged, %+v", test.at, heard, r.logs.count(), st)
			}
		})
	}
}
