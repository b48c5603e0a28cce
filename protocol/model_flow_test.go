package protocol_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// ids are those of the entries of a kind, in order.
func (s *story) ids(w what, by who) (all []int) {
	for _, i := range s.indices(w, by) {
		all = append(all, s.log[i].id)
	}
	return all
}

// isPart reports whether part is what remains of whole when some are left out.
func isPart(part, whole []int) bool {
	for _, id := range whole {
		if len(part) > 0 && part[0] == id {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// checkMessages: in order, each at most once, none after an end from our side, and
// all that came before the peer's end if there was none from ours, within the time
// that there is for that. What reached nobody is counted.
func (s *story) checkMessages() {
	handed, delivered := s.ids(handing, ""), s.ids(entered, receive)
	if !isPart(delivered, handed) {
		s.faultf("messages %v were delivered as %v", handed, delivered)
	}
	late, spent := s.finalCallbacks()
	if s.accepted >= 0 && (s.stop < 0 || s.stop > s.one(entered, disconnect)) && !spent && !slices.Equal(handed, delivered) {
		s.faultf("the peer ended, and messages %v were delivered as %v", handed, delivered)
	}
	for _, i := range s.indices(entered, receive) {
		if s.stop >= 0 && i > max(s.stop, s.accepted) {
			s.faultf("%v after our own end", s.log[i])
		}
	}
	if n := len(late); n > 0 && s.log[late[n-1]].at-s.log[late[0]].at > plumbing.FinalTime {
		s.faultf("%v too long after the peer's end", s.log[late[n-1]])
	}
	want := len(handed) - len(delivered) + s.returns(receive, plumbing.ErrUnread)
	if got := s.counters.Stats().MessagesUnread; got != int64(want) {
		s.faultf("MessagesUnread is %d, want %d", got, want)
	}
}

// finalCallbacks are the entries of Receives that were called after the end. spent
// says that they have used up the time there is for them.
func (s *story) finalCallbacks() (late []int, spent bool) {
	for _, i := range s.indices(entered, receive) {
		if i > s.over {
			late = append(late, i)
		}
	}
	for _, i := range s.indices(left, receive) {
		if len(late) > 0 && s.log[i].at-s.log[late[0]].at >= plumbing.FinalTime {
			spent = true
		}
	}
	return late, spent
}

// returns is how often a callback returned err.
func (s *story) returns(by who, err error) (n int) {
	for _, i := range s.indices(left, by) {
		if errors.Is(s.log[i].err, err) {
			n++
		}
	}
	return n
}

// checkEvents: in order, each at most once, none after the end, and what was
// accepted and not delivered is counted.
func (s *story) checkEvents() {
	s.checkPosts()
	var queued []int
	busy := 0
	for _, i := range s.indices(posted, "") {
		switch e := s.log[i]; {
		case e.err == nil:
			queued = append(queued, e.id)
		case isOwn(e.err, protocol.ErrBusy):
			busy++
		}
	}
	delivered := s.ids(entered, event)
	if !isPart(delivered, queued) {
		s.faultf("events %v were delivered as %v", queued, delivered)
	}
	for _, i := range s.indices(entered, event) {
		if i > s.over {
			s.faultf("%v after the end", s.log[i])
		}
	}
	st := s.counters.Stats()
	got := []int64{st.EventsDropped, st.EventsUnknown, st.EventsUndecodable}
	want := []int64{
		int64(len(queued) - len(delivered) + busy),
		int64(s.returns(event, plumbing.ErrEventUnknown)), int64(s.returns(event, protocol.ErrEventPayload)),
	}
	if !slices.Equal(got, want) {
		s.faultf("events dropped, unknown and undecodable are %v, want %v", got, want)
	}
}

// checkPosts: Post takes as many events as fit, until the end, and Offer as many
// messages behind them.
func (s *story) checkPosts() {
	waiting := 0
	for i, e := range s.log {
		change := s.change(e)
		if change <= 0 {
			waiting += change
			continue
		}
		result := posted
		if e.what == sending {
			result = sent
		}
		err := s.resultOf(result, e.id)
		tooMany := waiting == s.plan.mostEvents()
		switch {
		case i > s.over:
			if !s.isClosed(err) {
				s.faultf("Post or Offer #%d after the end returned %v", e.id, err)
			}
		case tooMany != errors.Is(err, protocol.ErrBusy), tooMany != (err != nil):
			s.faultf("Post or Offer #%d returned %v with %d waiting", e.id, err, waiting)
		case !tooMany:
			waiting++
		}
	}
}

// isOwn reports whether err is target as the fate of one call, and not as the
// cause of an end that the call came after.
func isOwn(err, target error) bool {
	var ce *protocol.CloseError
	return errors.Is(err, target) && !errors.As(err, &ce)
}

// resultOf is what the call with the id returned.
func (s *story) resultOf(w what, id int) error {
	for _, e := range s.log {
		if e.what == w && e.id == id {
			return e.err
		}
	}
	s.faultf("%s #%d never came", w, id)
	return nil
}

// isClosed reports whether err is what somebody who comes too late is told.
func (s *story) isClosed(err error) bool {
	if !errors.Is(err, protocol.ErrClosed) || !errors.Is(err, net.ErrClosed) {
		return false
	}
	var ce *protocol.CloseError
	return s.accepted < 0 || errors.As(err, &ce) && ce.Code == s.status.Code && ce.Remote == s.status.Remote
}

// between reports whether the transport has such an entry while send #id runs.
func (s *story) between(w what, id int) bool {
	return slices.ContainsFunc(s.log, func(e *entry) bool { return e.what == w && e.id == id })
}

// checkSends: what a send returns is what has become of the message.
func (s *story) checkSends() {
	waits := 0 // bytes behind the answer
	for i, e := range s.log {
		if e.what != sending {
			continue
		}
		err := s.resultOf(sent, e.id)
		s.checkWritten(e, err)
		switch {
		case i > s.over:
			if !s.isClosed(err) {
				s.faultf("send #%d after the end returned %v", e.id, err)
			}
		case s.behind[e.id]: // see checkPosts
		case s.accepted < 0 || i < s.accepted:
			waits += s.checkEarly(e, err, waits)
		case s.between(full, e.id):
			s.checkOverflow(e, err)
		case err != nil:
			s.faultf("send #%d returned %v, and there was room", e.id, err)
		}
	}
}

// checkWritten: what was taken is written, once; a message behind events may be dropped.
func (s *story) checkWritten(e *entry, err error) {
	out, want := s.written(e.id), err == nil && s.accepted >= 0
	if out > 1 || out == 1 && !want || out == 0 && want && !s.behind[e.id] {
		s.faultf("send #%d returned %v and was written %d times", e.id, err, out)
	}
}

// written is how often the transport was given a message.
func (s *story) written(id int) int { return len(s.indicesOf(wrote, id)) + len(s.indicesOf(lost, id)) }

// checkEarly: before the answer as much waits as the limit lets. It returns the
// bytes that wait more.
func (s *story) checkEarly(e *entry, err error, waits int) int {
	size := e.size + 64
	tooMuch := waits > 0 && waits+size > s.plan.limits.QueueBytes
	if tooMuch != errors.Is(err, protocol.ErrQueueFull) || tooMuch != (err != nil) {
		s.faultf("send #%d before the answer returned %v, with %d bytes waiting", e.id, err, waits)
	}
	if tooMuch {
		return 0
	}
	return size
}

func (s *story) indicesOf(w what, id int) (all []int) {
	for i, e := range s.log {
		if e.what == w && e.id == id {
			all = append(all, i)
		}
	}
	return all
}

// checkOverflow: a full queue follows the policy.
func (s *story) checkOverflow(e *entry, err error) {
	var ok bool
	switch policy := s.plan.limits.Overflow; {
	case policy == protocol.OverflowDropNewest:
		ok = errors.Is(err, protocol.ErrDropped)
	case policy == protocol.OverflowBlock && e.kind == doSend:
		ok = err == nil || errors.Is(err, context.DeadlineExceeded) || s.isClosed(err)
	default:
		ok = errors.Is(err, protocol.ErrSlow)
	}
	if !ok {
		s.faultf("send #%d into a full queue returned %v", e.id, err)
	}
}

// checkOrderOfSends: messages leave in the order of the calls, those before the
// answer too. Sends that waited for room are in nobody's order, and those behind
// events in the order of the offers and events.
func (s *story) checkOrderOfSends() {
	s.checkOrderBehind()
	var called, out []int
	for i, e := range s.log {
		if e.what == sending && !s.behind[e.id] && s.resultOf(sent, e.id) == nil && s.log[s.indicesOf(sent, e.id)[0]].at == e.at {
			called = append(called, e.id)
		}
		if e.what == wrote && (s.accepted < 0 || i < s.accepted) {
			s.faultf("%v before the answer", e)
		}
	}
	for _, e := range s.log {
		if (e.what == wrote || e.what == lost) && slices.Contains(called, e.id) {
			out = append(out, e.id)
		}
	}
	if s.accepted >= 0 && !slices.Equal(called, out) {
		s.faultf("messages sent in the order %v left in the order %v", called, out)
	}
}

// checkOrderBehind: what was posted, and offered behind it, is handled and written in
// this order.
func (s *story) checkOrderBehind() {
	var called, done []int
	for _, e := range s.log {
		switch change := s.change(e); {
		case change > 0:
			called = append(called, e.id)
		case change < 0:
			done = append(done, e.id)
		}
	}
	if !isPart(done, called) {
		s.faultf("events and messages sent in the order %v were handled and written in the order %v", called, done)
	}
}

// checkDeferred: each once, the last given first, after everything else.
func (s *story) checkDeferred() {
	var stack []int
	ready := s.refused // when they may run
	if farewell := s.indices(left, disconnect); len(farewell) > 0 {
		ready = farewell[0]
	}
	for i, e := range s.log {
		switch {
		case e.what == deferring:
			stack = append(stack, e.id)
		case e.what == entered && e.who == deferredFun:
			if len(stack) == 0 || stack[len(stack)-1] != e.id {
				s.faultf("deferred function #%d ran when %v were due", e.id, stack)
				return
			}
			stack = stack[:len(stack)-1]
			if i < ready || ready < 0 {
				s.faultf("deferred function #%d ran before the connection was over", e.id)
			}
		}
	}
	if len(stack) > 0 {
		s.faultf("deferred functions %v never ran", stack)
	}
}

// checkGoroutines: each that was started runs once, none is started after the end, and
// what follows the callbacks waits for them, for ten seconds.
func (s *story) checkGoroutines() {
	abandoned, follows := 0, slices.IndexFunc(s.log, func(e *entry) bool {
		return e.what == entered && (e.who == disconnect || e.who == deferredFun)
	})
	if follows < 0 {
		follows = len(s.log)
	}
	for _, i := range s.indices(starting, "") {
		e := s.log[i]
		err := s.resultOf(started, e.id)
		in, out := s.indexOf(entered, goroutine, e.id), s.indexOf(left, goroutine, e.id)
		switch {
		case i > s.over && !s.isClosed(err), (in >= 0) != (err == nil), (out >= 0) != (err == nil):
			s.faultf("Go #%d returned %v, began at %d and ended at %d", e.id, err, in, out)
		case err == nil && out > follows && s.log[out].at-s.log[s.over].at < 10*time.Second:
			s.faultf("%v, and goroutine #%d was running", s.log[follows], e.id)
		case err == nil && s.log[out].at-max(s.lastCallback(), s.log[s.over].at) > 10*time.Second:
			abandoned++
		}
	}
	if st := s.counters.Stats(); st.GoroutinesAbandoned != int64(abandoned) || st.GoroutinesRefused != 0 {
		s.faultf("GoroutinesAbandoned is %d, want %d; GoroutinesRefused is %d", st.GoroutinesAbandoned, abandoned, st.GoroutinesRefused)
	}
}

// lastCallback is when the last Connect, Receive or Event was left.
func (s *story) lastCallback() (at time.Duration) {
	for _, e := range s.log {
		if e.what == left && (e.who == theFactory || e.who == connect || e.who == receive || e.who == event) {
			at = e.at
		}
	}
	return at
}

func (s *story) indexOf(w what, by who, id int) int {
	return slices.IndexFunc(s.log, func(e *entry) bool { return e.what == w && e.who == by && e.id == id })
}

// checkCounters: what the log has no other place for.
func (s *story) checkCounters() {
	want := s.wantStats()
	st := s.counters.Stats()
	if got := (protocol.Stats{
		Open: st.Open, Accepted: st.Accepted, Refused: st.Refused, SlowClosed: st.SlowClosed, BusyClosed: st.BusyClosed,
		MessagesDropped: st.MessagesDropped, Panics: st.Panics,
	}); got != want {
		s.faultf("counted %+v\nwant    %+v", got, want)
	}
	if stacks := len(s.logs.having("stack")); int64(stacks) != want.Panics {
		s.faultf("%d panics are in the log with their stack, want %d", stacks, want.Panics)
	}
	if fault := s.log[s.wish]; fault.what == left && !errors.Is(fault.err, protocol.ErrClosed) && st.Failures == 0 {
		s.faultf("%v was not counted as a failure", fault)
	}
}

// isDropped reports whether the message of a send was dropped: at once, or behind
// events, because its turn did not come or there was no room then.
func (s *story) isDropped(e *entry) bool {
	return isOwn(e.err, protocol.ErrDropped) || isOwn(e.err, protocol.ErrSlow) || isOwn(e.err, protocol.ErrBusy) ||
		e.err == nil && s.behind[e.id] && s.written(e.id) == 0
}

// wantStats are the counters that no other check is about.
func (s *story) wantStats() protocol.Stats {
	want := protocol.Stats{Refused: 1}
	if s.accepted >= 0 {
		want = protocol.Stats{Accepted: 1}
		switch s.log[s.wish].what {
		case full:
			want.SlowClosed = 1
		case posting, sending:
			want.BusyClosed = 1
		default:
		}
	}
	for _, e := range s.log {
		switch {
		case e.what == left && errors.Is(e.err, errPanicked):
			want.Panics++
		case e.what == lost, e.what == sent && s.isDropped(e):
			want.MessagesDropped++
		}
	}
	return want
}
