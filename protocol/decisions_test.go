package protocol_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// goScheduler runs what is due on a goroutine of its own.
type goScheduler struct {
	*wire
	session *protocol.Session
}

func (s *goScheduler) Schedule() {
	go func() {
		for s.session.Run(2) {
			runtime.Gosched()
		}
	}()
}

// laterScheduler runs what is due when the test says so, one callback at a time, as a loop
// does that has other things to do first.
type laterScheduler struct {
	*wire
	session   *protocol.Session
	scheduled chan struct{}
}

func (s *laterScheduler) Schedule() {
	select {
	case s.scheduled <- struct{}{}:
	default:
		panic("scheduled twice")
	}
}

// loop runs what is due.
func (s *laterScheduler) loop() {
	for len(s.scheduled) > 0 {
		s.turn()
	}
}

// turn waits until something is due and runs it.
func (s *laterScheduler) turn() {
	<-s.scheduled
	for s.session.Run(1) {
	}
}

// newLaterRig prepares a connection whose callbacks wait for the test.
func newLaterRig(app protocol.Application, limits protocol.Limits) (*rig, *laterScheduler) {
	later := &laterScheduler{wire: &wire{}, scheduled: make(chan struct{}, 1)}
	r := rigFor(later, later.wire, app, limits)
	later.session = r.Session
	return r, later
}

// diary is a handler that writes down its calls.
type diary struct {
	mu struct {
		sync.Mutex
		lines []string
	}
}

func (d *diary) notef(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.lines = append(d.mu.lines, fmt.Sprintf(format, args...))
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.mu.lines, ", ")
}

// count returns how many lines there are.
func (d *diary) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.mu.lines)
}

// handler notes all calls. It fails in Receive when it is told to.
func (d *diary) handler() *fakes.Handler {
	return &fakes.Handler{
		OnConnect: func(_ context.Context, c *protocol.Conn) error {
			d.notef("connect")
			c.Defer(func() { d.notef("deferred") })
			return nil
		},
		OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
			d.notef("receive %s", m.Data)
			if m.Text() == "fail" {
				return errInternal
			}
			return nil
		},
		OnEvent: func(_ context.Context, _ *protocol.Conn, e *protocol.Event) error {
			d.notef("event %s", e.Type())
			return nil
		},
		OnDisconnect: func(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) { d.notef("disconnect %d", s.Code) },
	}
}

func TestDecision3_SessionKeepsPromisesForAnyTransport(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		name string
		make func(*wire) (tr protocol.Transport, attach func(*protocol.Session), loop func())
	}{
		{testkit.Here(), "plain", func(w *wire) (protocol.Transport, func(*protocol.Session), func()) {
			return w, func(*protocol.Session) {}, func() {}
		}},
		{testkit.Here(), "scheduler", func(w *wire) (protocol.Transport, func(*protocol.Session), func()) {
			s := &goScheduler{wire: w}
			return s, func(of *protocol.Session) { s.session = of }, func() {}
		}},
		{testkit.Here(), "loop", func(w *wire) (protocol.Transport, func(*protocol.Session), func()) {
			s := &laterScheduler{wire: w, scheduled: make(chan struct{}, 1)}
			return s, func(of *protocol.Session) { s.session = of }, s.loop
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{}
				tr, attach, loop := test.make(w)
				d := &diary{}
				r := rigFor(tr, w, d.handler(), protocol.Limits{})
				attach(r.Session)
				lead(t, test.at, r, d, loop)
			})
		})
	}
}

// lead leads a whole life.
func lead(t *testing.T, at testkit.Line, r *rig, d *diary, loop func()) {
	t.Helper()
	if !r.Open() {
		t.Fatalf("%s: refused", at)
	}
	settle := func() { loop(); synctest.Wait() }
	r.Receive(text("one"))
	for _, typ := range []string{"x", "y"} {
		if err := r.Conn().Post(protocol.EventType[map[string]int]{Name: typ}.New(nil)); err != nil {
			t.Fatalf("%s: Post: %v", at, err)
		}
	}
	settle()
	r.Receive(text("fail"))
	settle()
	r.Receive(text("late"))
	r.Ended(protocol.CloseStatus{Code: protocol.CloseNormal, Remote: true})
	settle()
	const want = "connect, receive one, event x, event y, receive fail, disconnect 1011, deferred"
	if got := d.String(); got != want {
		t.Errorf("%s:\ngot  %s\nwant %s", at, got, want)
	}
	if st := r.wire.closing(t); st.Code != protocol.CloseInternalError || st.Reason != "" {
		t.Errorf("%s: closed with %v %q", at, st.Code, st.Reason)
	}
	if st := r.counters.Stats(); st.Open != 0 || st.Accepted != 1 || st.Failures != 1 || st.MessagesUnread != 1 {
		t.Errorf("%s: counted %+v", at, st)
	}
}

func TestDecision5_SendsBeforeTheAnswerFollowIt(t *testing.T) {
	t.Parallel()
	buf := []byte("one")
	var r *rig
	r = newRig(&fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
		shared := protocol.Prepare(text("two"))
		for _, err := range []error{c.Send(ctx, protocol.Message{Data: buf}), c.SendPrepared(ctx, shared), c.Offer(protocol.Prepare(text("three")))} {
			if err != nil {
				t.Errorf("a send before the answer: %v", err)
			}
		}
		shared.Release() // whoever waits for the answer keeps it all the same
		for range 10 {
			protocol.Prepare(text("BAD")) // from the memory of what was released
		}
		copy(buf, "!!!")
		if out := r.wire.sent(); out != "" {
			t.Errorf("%q was sent before the answer", out)
		}
		if err := c.Accept(nil); err != nil {
			t.Errorf("Accept: %v", err)
		}
		return c.Send(ctx, text("four"))
	}}, protocol.Limits{})
	if !r.Open() {
		t.Fatal("refused")
	}
	if err := r.Conn().Send(t.Context(), text("five")); err != nil {
		t.Fatal(err)
	}
	if got, want := r.wire.sent(), "one two three four five"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	r.vanish()
}

// TestDecision5_SendsRaceTheAnswer sends from other goroutines while the answer
// is given: nothing overtakes, is lost or doubled.
func TestDecision5_SendsRaceTheAnswer(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 50
	for range 20 {
		var wg sync.WaitGroup
		send := func(c *protocol.Conn, from int) {
			for k := range each {
				if err := c.Send(context.Background(), text(fmt.Sprintf("%d:%d", from, k))); err != nil {
					t.Error(err)
				}
			}
		}
		r := newRig(&fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
			for i := range senders {
				wg.Go(func() { send(c, i) })
			}
			return nil
		}}, protocol.Limits{})
		r.Open()
		wg.Wait()
		next := [senders]int{}
		for out := range strings.FieldsSeq(r.wire.sent()) {
			var i, k int
			if _, err := fmt.Sscanf(out, "%d:%d", &i, &k); err != nil || next[i] != k {
				t.Fatalf("sender %d: got message %d (%v), want %d", i, k, err, next[i])
			}
			next[i]++
		}
		if next != [senders]int{each, each, each, each} {
			t.Fatalf("sent %v, want %d of each", next, each)
		}
		r.vanish()
	}
}

// TestDecision5_SendsWhileTheQueueFlows: while what waited goes out, later sends
// wait behind it, and there is room again for as much.
func TestDecision5_SendsWhileTheQueueFlows(t *testing.T) {
	t.Parallel()
	var r *rig
	later := []string{"two", "three"}
	w := &wire{}
	w.send = func(protocol.Message) error {
		if len(later) == 0 {
			return nil
		}
		next := later[0]
		later = later[1:]
		done := make(chan error)
		go func() { done <- r.Conn().Send(context.Background(), text(next)) }()
		return <-done
	}
	r = newRigOn(w, &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error { return c.Send(ctx, text("one")) }},
		protocol.Limits{QueueBytes: 1})
	r.Open()
	if got := w.sent(); got != "one two three" || r.counters.Stats().MessagesDropped != 0 {
		t.Errorf("sent %q, %d dropped", got, r.counters.Stats().MessagesDropped)
	}
	r.vanish()
}

func TestDecision5_AcceptChoosesHeadersAndSubprotocol(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at       testkit.Line
		chosen   string
		accepted bool
	}{
		{testkit.Here(), "", true},
		{testkit.Here(), "chat.v2", true},
		{testkit.Here(), "chat.v3", false}, // the peer would hang up over it
	} {
		h := &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
			return c.Accept(&protocol.AcceptOptions{Subprotocol: test.chosen, Header: http.Header{"X-A": {"b"}}})
		}}
		r := newRig(h, protocol.Limits{})
		if got := r.Open(); got != test.accepted {
			t.Errorf("%s: accepted: %v, want %v", test.at, got, test.accepted)
		}
		if !test.accepted {
			if e := r.wire.rejection(t); e.Status != http.StatusInternalServerError || strings.Contains(e.Body, test.chosen) {
				t.Errorf("%s: refused with %d %q", test.at, e.Status, e.Body)
			}
			<-r.over
			continue
		}
		if o := r.wire.mu.accepted[0]; o.Subprotocol != test.chosen || o.Header.Get("X-A") != "b" {
			t.Errorf("%s: accepted with %+v", test.at, o)
		}
		r.vanish()
	}
}

type (
	requestKey struct{}
	ownKey     struct{}
)

func TestDecision8_RequestDiesWithHandshake(t *testing.T) {
	t.Parallel()
	req := httptest.NewRequest(http.MethodGet, "/live/blue/", http.NoBody)
	req = req.WithContext(context.WithValue(req.Context(), requestKey{}, "recycled"))
	req.Pattern = "GET /live/{room}/{rest...}"
	req.SetPathValue("room", "blue")
	outer := protocol.NewScope("websocket", req)
	var inner *protocol.Scope
	seen := make(chan string, 2)
	app := protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		inner = scopes.WithRoute(s.WithValue(ownKey{}, "kept"), &plumbing.Match{Taken: "/live/", Rest: "blue/", Params: []plumbing.Param{{Name: "n", Value: "7"}}})
		if s.Request() != req || inner.Request() != req || inner.Context().Value(requestKey{}) != "recycled" {
			t.Error("before the answer the scope lacks the request")
		}
		return &fakes.Handler{
			OnConnect: func(ctx context.Context, _ *protocol.Conn) error {
				seen <- fmt.Sprint("connect ", ctx.Value(requestKey{}))
				return nil
			},
			OnReceive: func(ctx context.Context, _ *protocol.Conn, _ protocol.Message) error {
				seen <- fmt.Sprint("receive ", ctx.Value(requestKey{}))
				return nil
			},
		}, nil
	})
	s := protocol.NewSession(t.Context(), app, outer, &wire{}, nil)
	if !s.Open() {
		t.Fatal("refused")
	}
	s.Receive(text("x"))
	if a, b := <-seen, <-seen; a != "connect recycled" || b != "receive <nil>" {
		t.Errorf("the callbacks saw the request's value as %q and %q", a, b)
	}
	for _, scope := range []*protocol.Scope{outer, inner} {
		if scope.Request() != nil {
			t.Error("the request outlives the handshake")
		}
		if v := scope.Context().Value(requestKey{}); v != nil {
			t.Errorf("the request's value outlives the handshake as %v", v)
		}
		if room := scope.Param("room"); room != "blue" {
			t.Errorf("the mux wildcard became %q", room)
		}
	}
	if v := inner.Context().Value(ownKey{}); v != "kept" {
		t.Errorf("WithValue's value became %v", v)
	}
	if inner.Param("n") != "7" || inner.Param("rest") != "" {
		t.Errorf("params became %q and %q", inner.Param("n"), inner.Param("rest"))
	}
	s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	<-s.Conn().Context().Done()
	if inner.Context().Err() == nil {
		t.Error("the scope's context outlives the connection")
	}
}

// TestDecision16_EventsRunOnTheConnectionsOwnStrand: Post returns before the
// handler runs, so that a sender may hold a lock that the handler wants.
func TestDecision16_EventsRunOnTheConnectionsOwnStrand(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ran := make(chan struct{})
	r := open(t, &fakes.Handler{OnEvent: func(context.Context, *protocol.Conn, *protocol.Event) error {
		mu.Lock()
		defer mu.Unlock()
		close(ran)
		return nil
	}}, protocol.Limits{})
	mu.Lock()
	if err := r.Conn().Post(protocol.EventType[map[string]int]{Name: "x"}.New(nil)); err != nil {
		t.Fatal(err)
	}
	mu.Unlock()
	<-ran
	r.vanish()
}
