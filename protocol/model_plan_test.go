package protocol_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wye-go/wye/protocol"
)

// outcome is how user code ends.
type outcome string

const (
	goesOn       outcome = ""             // returns nil
	fails        outcome = "fails"        // returns an error that nobody may see
	closesOwn    outcome = "closes"       // returns Close(4001, "own")
	closesBadly  outcome = "closes badly" // returns Close(1005, ""), which cannot be sent
	panics       outcome = "panics"
	exits        outcome = "exits"         // runtime.Goexit
	unread       outcome = "unread"        // returns ErrUnread; from Event, ErrEventUnknown
	unfit        outcome = "unfit"         // returns ErrEventPayload
	drops        outcome = "drops"         // returns ErrDropped
	givesUp      outcome = "gives up"      // returns ctx's error once ctx has ended, else nil
	tellsCause   outcome = "tells cause"   // the same with ctx's cause
	passesOn     outcome = "passes on"     // returns what Accept returned
	rejects      outcome = "rejects"       // returns Reject(401, "who are you")
	rejectsPlain outcome = "rejects plain" // returns a RejectError without a status
	hasNoRoute   outcome = "no route"
	tooSlow      outcome = "too slow" // returns context.DeadlineExceeded
	noHandler    outcome = "no handler"
)

// deedKind is one thing that user code or the network does.
type deedKind string

const (
	doSend    deedKind = "send"
	doPrepare deedKind = "send prepared"
	doOffer   deedKind = "offer"
	doPost    deedKind = "post"
	doClose   deedKind = "close"
	doDefer   deedKind = "defer"
	doGo      deedKind = "go"
	doAccept  deedKind = "accept"
	doBreak   deedKind = "break" // the network does
	doFill    deedKind = "fill"  // the outgoing queue is full from here on
	doDrain   deedKind = "drain"
)

// deed has an id of its own, by which the log names it.
type deed struct {
	at   time.Duration // since the start, if it is done beside the callbacks
	what deedKind
	id   int
	size int           // of what is sent
	wait time.Duration // how long a blocking send may wait
	code protocol.CloseCode
}

// script is what one call of user code does.
type script struct {
	does   []deed
	takes  time.Duration
	heeds  bool // stops taking when its ctx ends
	then   []deed
	result outcome
}

// arrival is a message of the peer.
type arrival struct {
	at     time.Duration
	id     int
	size   int
	script script // of the Receive that gets it
}

// plan is one life of a connection, decided beforehand. Moments and durations
// are random nanoseconds, so that no two things happen at the same time unless
// one is the cause of the other: the log is then the true order.
type plan struct {
	seed        uint64
	limits      protocol.Limits
	looped      bool    // the transport is a Scheduler
	slow        bool    // callbacks take longer than messages are handed over after the peer's end, and than a full mailbox is put up with
	open        outcome // of Application.Open
	connect     script
	noAccept    bool // the transport cannot accept
	acceptTakes time.Duration
	eager       bool          // the transport reads before Accept has returned
	delay       time.Duration // between what the peer does, at least
	messages    []arrival
	end         *deed // how the peer closes
	acts        []deed
	events      map[int]script // by the id of the post
	farewell    script
	deferred    map[int]script // by the id of the Defer
	started     map[int]script // by the id of the Go
}

// mostEvents is how many events wait when the next one closes the connection: the
// horizon is shorter than the patience with a queue that is full.
func (p *plan) mostEvents() int { return hardFactor * p.limits.QueueEvents }

// hardFactor is how far a queue may go beyond its limit.
const hardFactor = 4

// String is for whoever has to understand a failure.
func (p *plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "limits %+v, scheduler %v\nopen %q\nconnect %+v\naccept fails %v, takes %v, eager %v\n",
		p.limits, p.looped, p.open, p.connect, p.noAccept, p.acceptTakes, p.eager)
	for _, m := range p.messages {
		fmt.Fprintf(&b, "message %+v\n", m)
	}
	if p.end != nil {
		fmt.Fprintf(&b, "peer closes %+v\n", *p.end)
	}
	for _, d := range p.acts {
		fmt.Fprintf(&b, "act %+v\n", d)
	}
	fmt.Fprintf(&b, "events %+v\ndisconnect %+v\ndeferred %+v\ngoroutines %+v", p.events, p.farewell, p.deferred, p.started)
	return b.String()
}

// generator makes plans: the same seed, the same plan.
type generator struct {
	*rand.Rand
	p  *plan
	id int
}

const horizon = 100 * time.Millisecond

func newPlan(seed uint64) *plan {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 0x77796521)),
		p:    &plan{seed: seed, events: map[int]script{}, deferred: map[int]script{}, started: map[int]script{}},
	}
	p := g.p
	p.limits = protocol.Limits{
		ReadAhead:   pick(g, 0, 1, 100, 300),
		QueueBytes:  pick(g, 0, 150, 400),
		QueueEvents: pick(g, 0, 1, 3),
		Overflow:    pick(g, protocol.OverflowClose, protocol.OverflowDropNewest, protocol.OverflowBlock),
	}.WithDefaults()
	p.looped = g.chance(30)
	if p.slow = g.chance(10); p.slow {
		p.limits.QueueEvents = protocol.Limits{}.WithDefaults().QueueEvents
	}
	g.handshake()
	for range g.IntN(10) {
		p.messages = append(p.messages, arrival{at: g.moment(), id: g.next(), size: g.IntN(60), script: g.receive()})
	}
	slices.SortFunc(p.messages, func(a, b arrival) int { return int(a.at - b.at) })
	if g.chance(50) {
		p.end = &deed{at: g.moment(), id: g.next(), code: pick(g, protocol.CloseNormal, protocol.CloseGoingAway, protocol.CloseNoStatus, 4444)}
	}
	g.acts()
	g.goroutines()
	p.farewell = script{takes: g.span(30), result: pick(g, goesOn, goesOn, goesOn, goesOn, panics, exits), does: g.deeds(15, doSend, doDefer, doPost, doClose)}
	return p
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) next() int { g.id++; return g.id }

func (g *generator) moment() time.Duration { return 1 + time.Duration(g.Int64N(int64(horizon))) }

// span is zero, or up to so many milliseconds.
func (g *generator) span(ms int64) time.Duration {
	if g.chance(40) {
		return 0
	}
	return 1 + time.Duration(g.Int64N(ms*int64(time.Millisecond)))
}

func (g *generator) handshake() {
	p := g.p
	p.delay = 1 + time.Duration(g.Int64N(int64(time.Millisecond/10)))
	if g.chance(12) {
		p.open = pick(g, fails, panics, exits, rejects, rejectsPlain, hasNoRoute, tooSlow, closesOwn, noHandler)
	}
	c := &p.connect
	*c = script{takes: g.span(30), heeds: g.chance(50), does: g.deeds(25, doSend, doDefer, doOffer, doPost, doClose)}
	if g.chance(40) {
		c.does = append(c.does, deed{what: doAccept, id: g.next()})
	}
	c.then = g.deeds(25, doSend, doDefer, doPrepare, doPost)
	switch {
	case g.chance(20):
		c.result = pick(g, fails, panics, exits, rejects, rejectsPlain, hasNoRoute, tooSlow, closesOwn, closesBadly, drops)
	case g.chance(50):
		c.result = pick(g, givesUp, tellsCause, passesOn)
	}
	p.noAccept = g.chance(6)
	if g.chance(50) {
		p.acceptTakes, p.eager = g.span(10), g.chance(60)
	}
}

// deeds are what a callback does, mostly little.
func (g *generator) deeds(percent int, from ...deedKind) (all []deed) {
	for g.chance(percent) {
		all = append(all, g.deed(0, pick(g, from...)))
	}
	return all
}

func (g *generator) deed(at time.Duration, what deedKind) deed {
	d := deed{at: at, what: what, id: g.next(), size: g.IntN(100), wait: g.span(40)}
	switch what {
	case doPrepare:
		if g.p.limits.Overflow == protocol.OverflowBlock {
			// The transport cannot tell it from an offer, which ends the
			// connection where this waits, so the log could not either.
			d.what = doOffer
		}
	case doClose:
		d.code = pick[protocol.CloseCode](g, 1000, 1001, 1005, 1012, 4002, 5000)
	case doPost:
		g.p.events[d.id] = g.event()
	case doGo:
		g.p.started[d.id] = g.goroutine()
	case doDefer:
		g.p.deferred[d.id] = script{takes: g.span(5), result: pick(g, goesOn, goesOn, goesOn, panics, exits), does: g.deeds(10, doSend, doDefer)}
	default:
	}
	return d
}

func (g *generator) receive() script {
	s := script{takes: g.span(40), heeds: g.chance(50), does: g.deeds(25, doSend, doDefer, doPrepare, doPost), then: g.deeds(15, doSend)}
	if g.p.slow && g.chance(30) {
		s.takes = g.span(1500)
	}
	switch {
	case g.chance(4):
		s.then = append(s.then, g.deed(0, doClose))
	case g.chance(7):
		s.result = pick(g, fails, closesOwn, closesBadly, panics, exits)
	case g.chance(30):
		s.result = pick(g, unread, drops, givesUp, tellsCause)
	}
	return s
}

func (g *generator) event() script {
	s := script{takes: g.span(20), heeds: g.chance(50)}
	switch {
	case g.chance(7):
		s.result = pick(g, fails, closesOwn, panics, exits)
	case g.chance(30):
		s.result = pick(g, unread, unfit, drops, givesUp)
	}
	return s
}

// goroutines are started by callbacks and beside them.
func (g *generator) goroutines() {
	if !g.chance(40) {
		return
	}
	starts := func(s *script) {
		if g.chance(30) {
			s.does = append(s.does, g.deed(0, doGo))
		}
	}
	p := g.p
	starts(&p.connect)
	for i := range p.messages {
		starts(&p.messages[i].script)
	}
	for range g.IntN(3) {
		p.acts = append(p.acts, g.deed(g.moment(), doGo))
	}
}

// goroutine is what the function of a Go does. It does nothing at the moment at which
// it begins, or its ctx ends, because others go on then.
func (g *generator) goroutine() script {
	s := script{takes: 1 + g.span(60), heeds: g.chance(60)}
	if !s.heeds {
		s.then = g.deeds(20, doSend)
	}
	switch {
	case g.chance(5):
		s.takes, s.heeds = 1+time.Duration(g.Int64N(int64(20*time.Second))), false // longer than the end waits
	case g.chance(12):
		s.result = pick(g, fails, closesOwn, closesBadly, panics, exits)
	case g.chance(40):
		s.result = pick(g, drops, givesUp, tellsCause)
	}
	return s
}

// acts are what other goroutines and the network do.
func (g *generator) acts() {
	p := g.p
	for range g.IntN(6) {
		p.acts = append(p.acts, g.deed(g.moment(), pick(g, doSend, doSend, doPrepare, doOffer)))
	}
	for range g.IntN(pick(g, 7, 7, 7, 14)) {
		p.acts = append(p.acts, g.deed(g.moment(), doPost))
	}
	for range g.IntN(3) {
		p.acts = append(p.acts, g.deed(g.moment(), doDefer))
	}
	for g.chance(30) {
		p.acts = append(p.acts, g.deed(g.moment(), pick(g, doClose, doClose, doBreak)))
	}
	for g.chance(30) {
		from, lasts := g.moment(), 1+time.Duration(g.Int64N(int64(30*time.Millisecond)))
		p.acts = append(p.acts, g.deed(from, doFill), g.deed(from+lasts, doDrain))
		if g.chance(70) {
			p.acts = append(p.acts, g.deed(from+1+time.Duration(g.Int64N(int64(lasts))), pick(g, doSend, doSend, doPrepare)))
		}
	}
}
