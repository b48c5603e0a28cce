package protocol_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// story is what a log says, worked out once for all checks. It knows the
// promises, and nothing of how a Session keeps them.
type story struct {
	*run
	log      []*entry
	accepted int // index of the answer yes, or -1
	refused  int // index of the answer no, or -1
	wish     int // index of the entry that was first to end the connection, or -1
	over     int // index from which it is over
	stop     int // index of the first entry that ended it from our side, be it the first end or not; -1
	status   protocol.CloseStatus
	local    bool         // of the first end
	behind   map[int]bool // messages that were offered while events waited or were handled
	wrong    []string
}

// judge checks the log of a run against the promises.
func judge(r *run) []string {
	s := &story{run: r, log: r.mu.log, accepted: -1, refused: -1, wish: -1, stop: -1, behind: map[int]bool{}}
	s.findBehind()
	s.read()
	if len(s.wrong) > 0 {
		return s.wrong
	}
	for _, check := range []func(){
		s.checkAnswer, s.checkOverlap, s.checkDisconnect, s.checkMessages, s.checkEvents, s.checkSends,
		s.checkOrderOfSends, s.checkDeferred, s.checkGoroutines, s.checkContexts, s.checkClose, s.checkCounters,
	} {
		check()
	}
	return s.wrong
}

func (s *story) faultf(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// indices are those of the entries of a kind.
func (s *story) indices(w what, by who) (all []int) {
	for i, e := range s.log {
		if e.what == w && e.who == by {
			all = append(all, i)
		}
	}
	return all
}

func (s *story) count(w what, by who) int { return len(s.indices(w, by)) }

// one returns the index of the only entry of a kind, or -1. More are a fault.
func (s *story) one(w what, by who) int {
	all := s.indices(w, by)
	if len(all) > 1 {
		s.faultf("%s %s %d times", w, by, len(all))
	}
	if len(all) == 0 {
		return -1
	}
	return all[0]
}

// read finds the answer and the end.
func (s *story) read() {
	if s.one(accepting, "") >= 0 {
		if i := s.one(answered, ""); s.log[i].err == nil {
			s.accepted = i
		}
	}
	s.refused = s.one(rejected, "")
	if (s.accepted >= 0) == (s.refused >= 0) {
		s.faultf("accepted at %d, rejected at %d: want exactly one of the two", s.accepted, s.refused)
		return
	}
	// From the first sign of the refusal on nothing can be sent.
	s.over = slices.IndexFunc(s.log, func(e *entry) bool {
		return e.what == rejected || e.what == unaccepted || e.what == answered && e.err != nil
	})
	s.findEnd()
	s.findStop()
	if s.wish < 0 {
		s.faultf("nothing has ended the connection")
	} else if s.accepted >= 0 {
		s.over = max(s.wish, s.accepted)
	}
}

// findEnd looks for whoever was first to end the connection.
func (s *story) findEnd() {
	waiting := 0 // events, and messages behind them
	for i, e := range s.log {
		change := s.change(e)
		if change > 0 && waiting == s.plan.mostEvents() {
			s.wished(i, protocol.CloseStatus{Code: protocol.CloseTryAgainLater, Reason: "too many events waiting"}, true)
			continue
		}
		waiting += change
		if st, local, ok := s.endedBy(i); ok {
			s.wished(i, st, local)
		}
	}
}

// findStop looks for the first end from our side. After an end, an error that only
// passes on how the connection ended is none.
func (s *story) findStop() {
	if s.local {
		s.stop = s.wish
		return
	}
	for i := s.wish + 1; i < len(s.log) && s.wish >= 0 && s.stop < 0; i++ {
		e := s.log[i]
		if e.what != calling && e.what != left {
			continue
		}
		if _, local, ok := s.endedBy(i); ok && local && !isEcho(e.err) {
			s.stop = i
		}
	}
}

// isEcho reports whether a callback only passes on the end of its ctx. The plans'
// own closes are neither the peer's nor those of a broken network.
func isEcho(err error) bool {
	var ce *protocol.CloseError
	return errors.Is(err, context.Canceled) || errors.As(err, &ce) && (ce.Remote || ce.Code == protocol.CloseAbnormal)
}

// findBehind finds the messages that wait behind events: those that are offered while
// an event waits or is handled, or another message waits.
func (s *story) findBehind() {
	events, messages := map[int]bool{}, map[int]bool{}
	for _, e := range s.log {
		switch {
		case e.what == posting && s.resultOf(posted, e.id) == nil:
			events[e.id] = true
		case e.what == left && e.who == event:
			delete(events, e.id)
		case e.what == sending && e.kind == doOffer && len(events)+len(messages) > 0:
			s.behind[e.id] = true
			if s.resultOf(sent, e.id) == nil {
				messages[e.id] = true
			}
		case e.what == wrote, e.what == lost, e.what == full:
			delete(messages, e.id)
		}
	}
}

// change is by how much e changes the number of events that wait, and of messages
// behind them.
func (s *story) change(e *entry) int {
	switch {
	case e.what == posting, e.what == sending && s.behind[e.id]:
		return 1
	case e.what == entered && e.who == event,
		(e.what == wrote || e.what == lost || e.what == full) && s.behind[e.id]:
		return -1
	}
	return 0
}

func (s *story) wished(i int, st protocol.CloseStatus, local bool) {
	if s.wish >= 0 {
		return
	}
	s.wish, s.status, s.local = i, st, local
	if local && !st.Code.Sendable() {
		s.status.Code, s.status.Reason = protocol.CloseInternalError, ""
	}
}

// endedBy says how entry i ends the connection, if nothing else did before.
func (s *story) endedBy(i int) (st protocol.CloseStatus, local, ok bool) {
	switch e := s.log[i]; e.what {
	case calling:
		return e.status, true, true
	case ending:
		return e.status, false, true
	case full:
		policy := s.plan.limits.Overflow
		slow := policy == protocol.OverflowClose || policy == protocol.OverflowBlock && e.kind == doPrepare
		return protocol.CloseStatus{Code: protocol.CloseTryAgainLater, Reason: "reading too slowly"}, true, slow
	case left:
		if !s.mayEnd(i) {
			return st, false, false
		}
		return endOf(e)
	default:
		return st, false, false
	}
}

// mayEnd reports whether what the user code returns that is left at i can end the
// connection.
func (s *story) mayEnd(i int) bool {
	switch e := s.log[i]; e.who {
	case receive, event:
		return true
	case goroutine:
		return !isEcho(e.err) // of a refusal
	case connect:
		return s.accepted >= 0 && i >= s.accepted
	default:
		return false
	}
}

// endOf is how the return of a callback ends its connection.
func endOf(e *entry) (st protocol.CloseStatus, local, ok bool) {
	var ce *protocol.CloseError
	switch {
	case e.err == nil, errors.Is(e.err, protocol.ErrDropped), errors.Is(e.err, plumbing.ErrUnread),
		errors.Is(e.err, plumbing.ErrEventUnknown), errors.Is(e.err, protocol.ErrEventPayload):
		return st, true, false
	case errors.As(e.err, &ce):
		return protocol.CloseStatus{Code: ce.Code, Reason: ce.Reason}, true, true
	}
	return protocol.CloseStatus{Code: protocol.CloseInternalError}, true, true
}

// checkAnswer: Connect decides the answer, and the peer is told nothing that
// was not meant for it.
func (s *story) checkAnswer() {
	if opened, returned := <-s.returned; returned && opened != (s.accepted >= 0) {
		s.faultf("Session.Open returned %v, and the connection was accepted: %v", opened, s.accepted >= 0)
	}
	err := s.decision()
	if s.accepted >= 0 {
		if s.count(left, connect) == 1 && err != nil && s.indices(left, connect)[0] < s.accepted {
			s.faultf("accepted although Connect had refused with %v", err)
		}
		return
	}
	e := s.log[s.refused]
	if want := s.statuses(err); !slices.Contains(want, int(e.status.Code)) {
		s.faultf("refused with %d because of %v and %v, want %d", e.status.Code, err, s.status, want)
	}
	if strings.Contains(e.body, secret) {
		s.faultf("the peer was told a secret: %q", e.body)
	}
}

// decision is what Application.Open or Connect ended with.
func (s *story) decision() error {
	if i := s.one(left, connect); i >= 0 {
		return s.log[i].err
	}
	if err := s.log[s.one(left, theFactory)].err; err != nil {
		return err
	}
	return errInternal // no handler
}

// statuses are those that the refusal may have.
func (s *story) statuses(err error) []int {
	unanswered := s.count(answered, "") > 0 // the transport could not
	soft := !errors.Is(err, errPanicked) && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, protocol.ErrClosed))
	switch early := s.wish < s.refused; {
	case early && soft && unanswered:
		return []int{s.earlyStatus(), http.StatusInternalServerError} // two reasons, either will do
	case early && soft:
		return []int{s.earlyStatus()}
	case errors.Is(err, protocol.ErrClosed) && s.closesItself():
		return []int{http.StatusForbidden}
	case soft && !unanswered:
		s.faultf("refused for no reason")
	}
	return []int{s.statusOf(err)}
}

// earlyStatus is the answer when an end came before it.
func (s *story) earlyStatus() int {
	switch s.status.Code {
	case protocol.CloseInternalError: // a failure, or a code that cannot be sent
		return http.StatusInternalServerError
	case protocol.CloseGoingAway, 1012, protocol.CloseTryAgainLater:
		return http.StatusServiceUnavailable
	default:
		return http.StatusForbidden
	}
}

// closesItself reports whether the plan makes Close the decision.
func (s *story) closesItself() bool {
	result := cmp.Or(s.plan.open, s.plan.connect.result)
	return result == closesOwn || result == closesBadly
}

// statusOf is what an error refuses with.
func (s *story) statusOf(err error) int {
	var re *protocol.RejectError
	switch {
	case errors.As(err, &re):
		return cmp.Or(re.Status, http.StatusForbidden)
	case errors.Is(err, protocol.ErrNoRoute):
		return http.StatusNotFound
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// checkOverlap: the callbacks and deferred functions of a connection run one at
// a time. A function that is deferred when all is over is called at once, by
// whoever defers it.
func (s *story) checkOverlap() {
	running := -1
	for i, e := range s.log {
		switch {
		case e.who == goroutine: // runs beside them
		case e.what == entered && e.who == deferredFun && s.log[i-1].what == deferring:
		case e.what == entered:
			if running >= 0 {
				s.faultf("%v while %v is running", e, s.log[running])
			}
			running = i
		case e.what == left && running >= 0 && s.log[running].who == e.who && s.log[running].id == e.id:
			running = -1
		}
	}
}

// checkDisconnect: once if and only if the connection was accepted, as the last
// callback, with the status of the first end.
func (s *story) checkDisconnect() {
	at := s.one(entered, disconnect)
	if (at >= 0) != (s.accepted >= 0) {
		s.faultf("Disconnect at %d, accepted at %d", at, s.accepted)
		return
	}
	if at < 0 {
		return
	}
	for _, e := range s.log[at+1:] {
		if e.what == entered && e.who != deferredFun && e.who != goroutine {
			s.faultf("%v after Disconnect", e)
		}
	}
	st := s.log[s.one(telling, "")].status
	if st.Code != s.status.Code || st.Reason != s.status.Reason || st.Remote != s.status.Remote {
		s.faultf("Disconnect was told %v %q remote=%v, and the first end was %v %q remote=%v",
			st.Code, st.Reason, st.Remote, s.status.Code, s.status.Reason, s.status.Remote)
	}
	if !utf8.ValidString(st.Reason) || strings.Contains(st.Reason, secret) {
		s.faultf("Disconnect was told the reason %q", st.Reason)
	}
}

// checkClose: the transport has to close once if it is we who end, and never
// after it has told of an end itself.
func (s *story) checkClose() {
	at := s.one(closing, "")
	if told := s.one(ending, ""); told >= 0 && at > told {
		s.faultf("Transport.Close after Session.Ended")
	}
	if want := s.accepted >= 0 && s.local; (at >= 0) != want && (s.one(ending, "") < 0 || s.one(ending, "") > s.over) {
		s.faultf("Transport.Close at %d, want one: %v", at, want)
	}
	if at >= 0 && (s.log[at].status.Code != s.status.Code || s.log[at].status.Reason != s.status.Reason) {
		s.faultf("Transport.Close with %v, and the first end was %v", s.log[at].status, s.status)
	}
}

// checkContexts: the ctx of a callback ends with the connection. What is left
// to do afterwards has a fresh one with a deadline.
func (s *story) checkContexts() {
	for i, e := range s.log {
		switch e.who {
		case connect, receive, event, disconnect:
			s.checkContext(i, e)
		case goroutine:
			if e.what == left && s.outlived(i) && (!e.ctx.done || !s.isCause(e.ctx.cause)) {
				s.faultf("%v after the end %v with ctx %+v", e, s.status, e.ctx)
			}
		default:
		}
	}
	if cause := context.Cause(s.session.Conn().Context()); !s.isCause(cause) {
		s.faultf("the connection's context ended with %v, want the CloseError of %v", cause, s.status)
	}
}

func (s *story) checkContext(i int, e *entry) {
	switch {
	case e.what == entered && i > s.over && s.accepted >= 0:
		s.checkFresh(e)
	case e.what == left && s.isStopped(i) && !e.ctx.done:
		s.faultf("%v after we have ended the connection ourselves, and its ctx lasts", e)
	case e.what == entered && e.who != connect && e.ctx.done:
		s.faultf("%v while the connection lasts with an ended ctx: %v", e, e.ctx.cause)
	case e.what == left && s.outlived(i) && (!e.ctx.done || !s.isCause(e.ctx.cause)):
		s.faultf("%v after the end %v with ctx %+v", e, s.status, e.ctx)
	}
}

// checkFresh: what is called after the end has a ctx of its own, with a deadline.
func (s *story) checkFresh(e *entry) {
	within := plumbing.FinalTime
	if e.who == disconnect {
		within = 10 * time.Second
	}
	if e.ctx.done || e.ctx.deadline <= 0 || e.ctx.deadline > within {
		s.faultf("%v after the end with ctx %+v, want one with a deadline within %v", e, e.ctx, within)
	}
}

// isStopped reports whether the Receive that is left at i began after the peer's end,
// and before ours.
func (s *story) isStopped(i int) bool {
	began := slices.IndexFunc(s.log, func(e *entry) bool {
		return e.what == entered && e.who == receive && e.id == s.log[i].id
	})
	return s.log[i].who == receive && began > s.over && s.stop >= 0 && s.stop < i
}

// isCause reports whether err says how the connection ended. How a refusal is
// put into a CloseError is nobody's promise.
func (s *story) isCause(err error) bool {
	var ce *protocol.CloseError
	return errors.As(err, &ce) && errors.Is(err, net.ErrClosed) && (s.accepted < 0 || ce.Code == s.status.Code)
}

// outlived reports whether the callback that is left at i was running when the
// connection ended, and some time has passed since.
func (s *story) outlived(i int) bool {
	end := s.over // an end while answering takes effect when the answer is out
	if answering := slices.IndexFunc(s.log[:s.wish], func(e *entry) bool { return e.what == accepting }); answering < 0 {
		end = min(s.wish, s.over) // one before it does at once
	}
	if i < end || s.log[i].at <= s.log[end].at {
		return false
	}
	for k := i - 1; k >= 0; k-- {
		if s.log[k].what == entered && s.log[k].who == s.log[i].who && s.log[k].id == s.log[i].id {
			return k < end
		}
	}
	return false
}
