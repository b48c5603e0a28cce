package protocol

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
)

// The strand of a session is the right to run its callbacks. Whoever set
// mu.running has it, and gives it up in step, when nothing is left to do. So
// callbacks never overlap, without a goroutine of their own and without a lock
// that is held while they run.

// drain runs what is due, and gives the strand up.
func (s *Session) drain() {
	for s.step() {
	}
}

// step does what is due next. It returns false when it has given up the strand, or
// left it to the goroutines that Disconnect waits for.
func (s *Session) step() bool {
	s.mu.Lock()
	if s.mu.life.state == stateEnded {
		// No callback after the end may find the connection's context alive: the
		// goroutine that ended it may not have come so far.
		s.cancel(s.mu.cause)
	}
	switch life := &s.mu.life; {
	case !s.mu.mail.empty():
		s.noEventsLocked()
		l := s.mu.mail.take()
		ctx := s.contextLocked(l)
		s.mailDrainedLocked()
		s.mailHeldLocked()
		resume := s.roomToReadLocked()
		s.mu.Unlock()
		if resume != nil {
			resume()
		}
		s.deliver(ctx, l)
		return true
	case life.over() && s.mu.tasks.hold():
		s.holdLocked()
		s.mu.Unlock()
		return false // whoever ends the waiting goes on
	case life.state == stateEnded:
		life.step(stateClosed)
		s.mu.final.end()
		st := life.status
		s.mu.Unlock()
		s.disconnect(st)
		return true
	case life.settled() && len(s.mu.deferred) > 0:
		last := len(s.mu.deferred) - 1
		f := s.mu.deferred[last]
		s.mu.deferred = s.mu.deferred[:last]
		s.mu.Unlock()
		s.finish(f)
		return true
	}
	s.noEventsLocked()
	s.mu.running = false
	s.mu.Unlock()
	return false
}

// noEventsLocked lets messages go straight to the transport if no event waits. The
// caller has the strand, so none is being handled.
func (s *Session) noEventsLocked() {
	if s.mu.mail.events == 0 {
		s.flags.put(flagOrdered, false)
	}
}

// roomToReadLocked returns the function that lets the transport read on, if it
// is waiting and may.
func (s *Session) roomToReadLocked() (resume func()) {
	if s.mu.resume != nil && s.mayReadLocked() {
		resume, s.mu.resume = s.mu.resume, nil
	}
	return resume
}

// contextLocked returns the ctx of the callback for l, or nil if l is dropped.
func (s *Session) contextLocked(l letter) context.Context {
	switch s.mu.life.delivery() {
	case deliverAll:
		return s.ctx
	case deliverMessages:
		if l.isMessage() {
			if f := s.finalLocked(); f.admit() {
				return f.ctx
			}
		}
	case deliverNothing:
	}
	return nil
}

// deliver hands over a letter, or counts it if there is no ctx for it.
func (s *Session) deliver(ctx context.Context, l letter) {
	switch {
	case ctx == nil:
		s.shared.Counters.lost(l)
	case l.event != nil:
		s.event(l.event)
	case l.prepared != nil:
		s.sendDue(l.prepared)
	default:
		s.receive(ctx, l.message())
	}
}

func (s *Session) wasRejected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.life.state == stateRejected
}

func (s *Session) receive(ctx context.Context, m Message) {
	done := false
	defer s.contain(&done)
	err := s.h.Receive(ctx, &s.conn, m)
	done = true
	if err != nil {
		s.failed(err)
	}
}

func (s *Session) event(e *Event) {
	done := false
	defer s.contain(&done)
	err := s.h.Event(s.ctx, &s.conn, e)
	done = true
	switch {
	case err == nil:
	case errors.Is(err, ErrEventUnknown):
		s.shared.Counters.unknownEvent(s.shared.Logger, e.typ)
	case errors.Is(err, ErrEventPayload):
		s.shared.Counters.eventsUndecodable.Add(1)
		s.log(slog.LevelWarn, "wye: event dropped", details(err))
	default:
		s.failed(err)
	}
}

func (s *Session) disconnect(st CloseStatus) {
	done := false
	defer s.shared.Counters.open.Add(-1)
	defer s.contain(&done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), disconnectTime)
	defer cancel()
	s.h.Disconnect(ctx, &s.conn, st)
	done = true
}

// finish calls a function of Conn.Defer.
func (s *Session) finish(f func()) {
	done := false
	defer s.contain(&done)
	f()
	done = true
}

// contain is deferred around user code that sets done when it returns. It turns
// a panic into an end of the connection. If the code ends the goroutine instead,
// another one takes the strand on.
func (s *Session) contain(done *bool) {
	if *done {
		return
	}
	if v := recover(); v != nil {
		s.crash(&PanicError{Value: v, Stack: debug.Stack()})
		return
	}
	s.crash(errGoexit)
	s.schedule()
}

// crash ends the connection over a fault that no error of user code tells about.
func (s *Session) crash(err error) {
	s.endLogged(CloseStatus{Code: CloseInternalError, Err: err}, true, func(how effect) { s.fault(err, how) })
}

// contained is contain for code whose error is wanted. It leaves Goexit to its
// caller.
func (s *Session) contained(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

// failed does what the error that a callback has returned asks for.
func (s *Session) failed(err error) {
	switch {
	case err == nil:
	case isPanic(err):
		s.crash(err) // whatever it was called with
	case errors.Is(err, ErrDropped):
	case errors.Is(err, ErrUnread):
		s.unread(err)
	default:
		s.fail(err)
	}
}

// unread counts a message that the handler has left unread. An error that wraps
// ErrUnread says more, which is logged.
func (s *Session) unread(err error) {
	s.shared.Counters.messages.unread.Add(1)
	if err != ErrUnread { //nolint:errorlint,err113 // ErrUnread itself has nothing to say
		s.log(slog.LevelWarn, "wye: a message was not read by the application", details(err))
	}
}

// fail ends the connection with err, and logs it if it is a fault. That a
// connection which has ended cannot be used any more is none.
func (s *Session) fail(err error) effect {
	echo, partly := s.isEcho(err)
	if echo {
		return endIgnored
	}
	st := StatusOf(err)
	return s.endLogged(st, true, func(how effect) {
		switch {
		case st.Code == CloseInternalError && !partly:
			s.fault(faultOf(err, st), how)
		case how.first() && isPeersMistake(st.Err):
			s.log(slog.LevelWarn, "wye: connection closed because of what the peer asked for", details(err))
		}
	})
}

// faultOf is what is logged about err, which closes with st.
func faultOf(err error, st CloseStatus) error {
	if wrong, ok := errors.AsType[*unsendableError](st.Err); ok {
		return wrong // of err alone it cannot be seen what is wrong with the code
	}
	return err
}

// isEcho reports whether err only passes on that the connection has ended: the
// error of a send, or of a ctx that ended with it. That is no wish to end the
// connection. partly says that it is so of one of the errors that err joins.
func (s *Session) isEcho(err error) (echo, partly bool) {
	s.mu.Lock()
	ended, expired := s.mu.cause != nil || s.mu.life.over(), s.mu.final.expired()
	s.mu.Unlock()
	if !ended || isPanic(err) {
		return false, false
	}
	targets := []error{ErrClosed, context.Canceled}
	if expired {
		targets = append(targets, context.DeadlineExceeded)
	}
	is := func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
	return all(err, is), is(err)
}

// all reports whether is holds for each of the errors that err joins. It does not
// hold for what Close has returned.
func all(err error, is func(error) bool) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch e := e.(type) { //nolint:errorlint // it looks at each of them itself
		case *CloseError:
			return e.ended
		case interface{ Unwrap() []error }:
			return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !all(err, is) })
		}
	}
	return is(err)
}

// fault counts and logs what should not happen. how is what it has changed.
func (s *Session) fault(err error, how effect) {
	s.shared.Counters.failures.Add(1)
	if isPanic(err) {
		s.shared.Counters.panics.Add(1)
	}
	s.mu.Lock()
	life := s.mu.life
	s.mu.Unlock()
	attrs := details(err)
	msg := "wye: a consumer failed; its connection is closed with 1011"
	switch {
	case how == endNow:
	case how == endNoted:
		msg = "wye: a consumer failed before its handshake was answered"
	case life.state == stateRejected:
		msg = "wye: a consumer failed; its connection had been refused before"
	default:
		msg, attrs = "wye: a consumer failed; its connection had ended before", append(attrs, "code", int(life.status.Code))
	}
	s.log(slog.LevelError, msg, attrs)
}

// log writes a line about this connection, unless there were many with the same text.
func (s *Session) log(level slog.Level, msg string, attrs []any) {
	s.shared.Counters.log(s.shared.Logger, level, msg, func() []any { return s.logAttrs(attrs) })
}

// end ends the connection, if nobody has before. ours says that it is our side
// that ends it, so that the transport has to be told, and the handler is called
// for Disconnect only, also if the peer has ended it before.
func (s *Session) end(st CloseStatus, ours bool) effect {
	return s.endLogged(st, ours, func(effect) {})
}

// endLogged is end, with what is logged about it before anybody notices.
func (s *Session) endLogged(st CloseStatus, ours bool, log func(how effect)) effect {
	given := st.Code
	if ours {
		st = st.sendable()
	}
	s.mu.Lock()
	how := s.mu.life.end(st, ours)
	opening := s.mu.life.state == stateOpening
	var e ending
	switch how {
	case endNow:
		e = s.endLocked()
	case endStops:
		e.dropped = s.stopLocked()
	case endIgnored, endNoted:
	}
	s.mu.Unlock()
	if how.first() && st.Code != given {
		s.log(slog.LevelError, "wye: a connection was to be closed with a code that a server cannot send; it is closed with 1011",
			append(details(st.Err), "code", int(given)))
	}
	log(how)
	switch {
	case how == endNow:
		s.ended(e)
	case how == endStops:
		s.shared.Counters.dropped(e.dropped)
	case opening:
		s.over(nil) // Connect has no more to decide
	}
	return how
}

// ending is what is to be done, without the lock, about an end.
type ending struct {
	cause     *CloseError
	dropped   contents
	tell, run bool
	resume    func()
}

// endLocked follows the step to stateEnded.
func (s *Session) endLocked() ending {
	e := ending{
		cause:  &CloseError{CloseStatus: s.mu.life.status, ended: true},
		tell:   s.mu.life.local,
		run:    !s.mu.running,
		resume: s.mu.resume,
	}
	s.flags.put(flagOpen, false)
	if s.mu.life.stopped {
		e.dropped = s.stopLocked()
	}
	s.mu.cause, s.mu.running, s.mu.resume = e.cause, true, nil
	s.stopPacingLocked()
	return e
}

func (s *Session) ended(e ending) {
	s.shared.Counters.ended(e.cause.CloseStatus)
	s.shared.Counters.dropped(e.dropped)
	s.cancel(e.cause)
	if e.tell {
		s.t.Close(e.cause.CloseStatus)
	}
	if e.resume != nil {
		e.resume()
	}
	if e.run {
		s.schedule()
	}
}

// causeLocked is the error of whoever comes too late.
func (s *Session) causeLocked() error {
	if s.mu.cause != nil {
		return s.mu.cause
	}
	return ErrClosed
}
