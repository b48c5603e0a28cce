package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// what is the kind of an entry in the log of a run.
type what string

const (
	entered    what = "entered" // a callback
	left       what = "left"
	accepting  what = "accepting" // the transport
	answered   what = "answered"
	rejected   what = "rejected"
	unaccepted what = "not accepted" // Conn.Accept has said so
	wrote      what = "wrote"
	full       what = "full"
	lost       what = "lost" // written when the transport knew of the end
	closing    what = "closing"
	handing    what = "handing" // the peer
	ending     what = "ending"
	sending    what = "sending" // the application
	sent       what = "sent"
	posting    what = "posting"
	posted     what = "posted"
	calling    what = "calling Close"
	telling    what = "telling Disconnect"
	deferring  what = "deferring"
	starting   what = "starting" // a goroutine
	started    what = "started"
)

// who is the user code of an entry.
type who string

const (
	theFactory  who = "Application.Open"
	connect     who = "Connect"
	receive     who = "Receive"
	event       who = "Event"
	disconnect  who = "Disconnect"
	deferredFun who = "deferred"
	goroutine   who = "goroutine"
)

// entry is a line of the log.
type entry struct {
	at     time.Duration
	what   what
	who    who
	id     int
	size   int
	err    error
	status protocol.CloseStatus
	kind   deedKind
	ctx    glance
	body   string
}

// glance is a context as it was at one moment.
type glance struct {
	done     bool
	cause    error
	deadline time.Duration // from then on; 0 if none
}

func (e *entry) String() string {
	s := fmt.Sprintf("%10v %s", e.at, e.what)
	for _, part := range []string{string(e.who), string(e.kind)} {
		if part != "" {
			s += " " + part
		}
	}
	if e.id != 0 {
		s += " #" + strconv.Itoa(e.id)
	}
	if e.status.Code != 0 {
		s += fmt.Sprintf(" %v %q remote=%v", e.status.Code, e.status.Reason, e.status.Remote)
	}
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

var (
	errPanicked = errors.New("panicked")
	errExited   = errors.New("exited")
	errNoAnswer = errors.New("cannot accept: " + secret)
)

// run is one life of a connection as the plan has it. It is application,
// handler, transport and peer.
type run struct {
	plan     *plan
	session  *protocol.Session
	counters protocol.Counters
	logs     logs
	begin    time.Time
	broken   chan struct{} // closed when the network has broken
	returned chan bool     // what Session.Open said; closed without, if it did not return
	works    chan struct{} // the scheduler's: Run is to be called

	mu struct {
		sync.Mutex
		log        []*entry
		wrong      []string // found on the spot
		full       bool
		told       bool // Ended was called
		shut       bool // Close was called
		answered   time.Duration
		unaccepted error // what Conn.Accept has returned
	}
}

// live runs the plan in a bubble and returns the log, and what is wrong with it.
// A deadlock of the bubble, or a goroutine left in it, is a fault as any other.
func live(t *testing.T, p *plan) (log []*entry, wrong []string) {
	t.Helper()
	r := &run{plan: p}
	defer func() {
		if v := recover(); v != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			log, wrong = r.mu.log, []string{fmt.Sprint("panic out of the bubble: ", v)}
		}
	}()
	synctest.Test(t, func(*testing.T) {
		r.live()
		log, wrong = r.mu.log, slices.Concat(r.mu.wrong, judge(r))
	})
	return log, wrong
}

func (r *run) live() {
	r.begin = time.Now()
	r.broken, r.returned = make(chan struct{}), make(chan bool, 1)
	var t protocol.Transport = modelWire{r}
	if r.plan.looped {
		r.works = make(chan struct{}, 1000)
		go r.schedule()
		defer close(r.works)
		t = loopedWire{modelWire{r}}
	}
	scope := protocol.NewScope("websocket", request())
	r.session = protocol.NewSession(context.Background(), r, scope, t, &protocol.SessionOptions{
		Limits: r.plan.limits, Logger: slog.New(&r.logs), Counters: &r.counters,
	})
	go func() {
		defer close(r.returned)
		r.returned <- r.session.Open()
	}()
	for _, d := range r.plan.acts {
		go func() {
			r.pause(d.at)
			r.do(context.Background(), d)
		}()
	}
	r.pause(time.Minute) // more than all of it takes
	r.do(context.Background(), deed{what: doClose, code: protocol.CloseGoingAway})
	r.pause(time.Minute)
	for i, kind := range []deedKind{doSend, doOffer, doPrepare, doPost, doDefer, doGo, doClose, doDrain} {
		r.do(context.Background(), deed{what: kind, id: 1000 + i, size: 10, code: 4009})
	}
	if err := r.session.Conn().Accept(nil); !errors.Is(err, plumbing.ErrAccepted) && !errors.Is(err, protocol.ErrClosed) {
		r.faultf("Accept after the end returned %v", err)
	}
	synctest.Wait()
}

// schedule is a loop that runs callbacks one after the other, few at a time. They are run
// on a goroutine of its own, because some end theirs.
func (r *run) schedule() {
	limit := 0
	for range r.works {
		limit = (limit + 1) % 3 // 0 runs all
		done := make(chan struct{})
		go func() {
			defer close(done)
			if r.session.Run(limit) {
				r.works <- struct{}{}
			}
		}()
		<-done
	}
}

func (r *run) pause(d time.Duration) {
	if d > 0 {
		timer := time.NewTimer(d)
		<-timer.C
	}
}

func (r *run) note(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noteLocked(e)
}

func (r *run) noteLocked(e entry) {
	e.at = time.Since(r.begin)
	r.mu.log = append(r.mu.log, &e)
}

func (r *run) faultf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.wrong = append(r.mu.wrong, fmt.Sprintf(format, args...))
}

// payload is what message id looks like.
func payload(id, size int) []byte {
	return []byte(strconv.Itoa(id) + "|" + strings.Repeat(".", size))
}

// idOf is the id of a message with such a payload. What is anything else has
// been kept by somebody to whom it was only lent.
func (r *run) idOf(data []byte) int {
	head, tail, ok := strings.Cut(string(data), "|")
	id, err := strconv.Atoi(head)
	if !ok || err != nil || strings.Trim(tail, ".") != "" {
		r.faultf("a message became %q: its bytes were kept and overwritten", data)
	}
	return id
}

func scribble(b []byte) {
	for i := range b {
		b[i] = '!'
	}
}

func look(ctx context.Context) (g glance) {
	g.done, g.cause = ctx.Err() != nil, context.Cause(ctx)
	if at, ok := ctx.Deadline(); ok {
		g.deadline = time.Until(at)
	}
	return g
}

// Open, Connect, Receive, Event and Disconnect make a run an application and
// its handler.
func (r *run) Open(*protocol.Scope) (protocol.Handler, error) {
	err := r.play(context.Background(), theFactory, 0, script{result: r.plan.open})
	if err != nil || r.plan.open == noHandler {
		return nil, err
	}
	return r, nil
}

func (r *run) Connect(ctx context.Context, _ *protocol.Conn) error {
	return r.play(ctx, connect, 0, r.plan.connect)
}

func (r *run) Receive(ctx context.Context, _ *protocol.Conn, m protocol.Message) error {
	id := r.idOf(m.Data)
	defer r.idOf(m.Data) // it is lent until here
	for _, a := range r.plan.messages {
		if a.id == id {
			return r.play(ctx, receive, id, a.script)
		}
	}
	r.faultf("Receive was called with message %d, which nobody sent", id)
	return nil
}

func (r *run) Event(ctx context.Context, _ *protocol.Conn, e *protocol.Event) error {
	id, err := strconv.Atoi(e.Type())
	if err != nil {
		r.faultf("an event of type %q was made up", e.Type())
	}
	return r.play(ctx, event, id, r.plan.events[id])
}

func (r *run) Disconnect(ctx context.Context, _ *protocol.Conn, s protocol.CloseStatus) {
	r.note(entry{what: telling, status: s, err: s.Err})
	if err := r.play(ctx, disconnect, 0, r.plan.farewell); err != nil {
		r.faultf("a farewell has no way to return %v", err)
	}
}

// play does what the script says.
func (r *run) play(ctx context.Context, by who, id int, s script) (err error) {
	r.note(entry{what: entered, who: by, id: id, ctx: look(ctx)})
	how := errExited
	defer func() { r.note(entry{what: left, who: by, id: id, err: how, ctx: look(ctx)}) }()
	for _, d := range s.does {
		r.do(ctx, d)
	}
	if s.takes > 0 {
		var ended <-chan struct{}
		if s.heeds {
			ended = ctx.Done()
		}
		timer := time.NewTimer(s.takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ended:
		}
	}
	for _, d := range s.then {
		r.do(ctx, d)
	}
	switch s.result {
	case panics:
		how = errPanicked
		panic("the plan wants it: " + secret)
	case exits:
		runtime.Goexit()
	default:
	}
	how = r.result(ctx, by, s.result)
	return how
}

// result is what a callback returns for an outcome.
func (r *run) result(ctx context.Context, by who, o outcome) error {
	switch o {
	case unread:
		if by == event {
			return plumbing.ErrEventUnknown
		}
		return plumbing.ErrUnread
	case givesUp:
		return ctx.Err()
	case tellsCause:
		return context.Cause(ctx)
	case passesOn:
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.mu.unaccepted
	default:
		return map[outcome]error{
			fails:        errInternal,
			closesOwn:    protocol.NewCloseError(4001, "own"),
			closesBadly:  protocol.NewCloseError(protocol.CloseNoStatus, ""),
			unfit:        fmt.Errorf("%w: %s", protocol.ErrEventPayload, secret),
			drops:        protocol.ErrDropped,
			rejects:      protocol.NewRejectError(401, "who are you"),
			rejectsPlain: &protocol.RejectError{Err: errInternal},
			hasNoRoute:   fmt.Errorf("%w: %s", protocol.ErrNoRoute, secret),
			tooSlow:      fmt.Errorf("%s: %w", secret, context.DeadlineExceeded),
		}[o]
	}
}
