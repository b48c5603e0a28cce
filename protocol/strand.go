package protocol

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
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

// step does what is due next. It returns false when it has given up the strand.
func (s *Session) step() bool {
	s.mu.Lock()
	switch life := &s.mu.life; {
	case !s.mu.mail.empty():
		l, over := s.mu.mail.take(), life.over()
		s.mailDrainedLocked()
		resume := s.roomToReadLocked()
		s.mu.Unlock()
		if resume != nil {
			resume()
		}
		s.deliver(l, over)
		return true
	case life.state == stateEnded:
		life.step(stateClosed)
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
	s.mu.running = false
	s.mu.Unlock()
	return false
}

// roomToReadLocked returns the function that lets the transport read on, if it
// is waiting and may.
func (s *Session) roomToReadLocked() (resume func()) {
	if s.mu.resume != nil && s.mu.mail.bytes < s.limits.ReadAhead {
		resume, s.mu.resume = s.mu.resume, nil
	}
	return resume
}

// deliver hands over a letter. After the end, what the peer had said is still
// heard; events are not.
func (s *Session) deliver(l letter, over bool) {
	switch {
	case !over && l.event != nil:
		s.event(l.event)
	case !over:
		s.receive(s.ctx, l.msg)
	case l.event != nil || s.h == nil || s.wasRejected():
		s.shared.Counters.lost(l)
	default:
		s.receive(s.late.context(s.ctx), l.msg)
	}
}

func (s *Session) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.life.over()
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
	ctx := s.late.context(s.ctx)
	defer s.late.end()
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
	s.fault(err)
	s.end(CloseStatus{Code: CloseInternalError, Err: err}, true)
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
	s.shared.Counters.messagesUnread.Add(1)
	if err != ErrUnread { //nolint:errorlint,err113 // ErrUnread itself has nothing to say
		s.shared.Logger.Warn("wye: a message was not read by the application", s.logAttrs(details(err))...)
	}
}

// fail ends the connection with err, and logs it if it is a fault. That a
// connection which has ended cannot be used any more is none.
func (s *Session) fail(err error) {
	if !isPanic(err) && s.hasEnded() && (errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled)) {
		return
	}
	st := StatusOf(err)
	switch {
	case st.Code == CloseInternalError:
		s.fault(err)
	case isPeersMistake(st.Err):
		s.log(slog.LevelWarn, "wye: connection closed because of what the peer asked for", details(err))
	}
	s.end(st, true)
}

// fault counts and logs what should not happen.
func (s *Session) fault(err error) {
	s.shared.Counters.failures.Add(1)
	if isPanic(err) {
		s.shared.Counters.panics.Add(1)
	}
	s.log(slog.LevelError, "wye: a consumer failed; its connection is closed with 1011", details(err))
}

// log writes a line about this connection, unless there were many with the same text.
func (s *Session) log(level slog.Level, msg string, attrs []any) {
	s.shared.Counters.log(s.shared.Logger, level, msg, func() []any { return s.logAttrs(attrs) })
}

// end ends the connection, if nobody has before. local says that the transport
// has to be told.
func (s *Session) end(st CloseStatus, local bool) {
	if local {
		st = s.sendable(st)
	}
	s.mu.Lock()
	if !s.mu.life.end(st, local) {
		opening := s.mu.life.state == stateOpening
		s.mu.Unlock()
		if opening {
			s.over(nil) // Connect has no more to decide
		}
		return
	}
	e := s.endLocked()
	s.mu.Unlock()
	s.ended(e)
}

// ending is what is to be done, without the lock, about an end.
type ending struct {
	cause            *CloseError
	events, messages int // dropped
	tell, run        bool
	resume           func()
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
	if e.tell {
		e.events, e.messages = s.mu.mail.discard()
	}
	s.mu.cause, s.mu.running, s.mu.resume = e.cause, true, nil
	return e
}

func (s *Session) ended(e ending) {
	s.shared.Counters.ended(e.cause.CloseStatus, e.events, e.messages)
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

// sendable makes st fit for a close frame.
func (s *Session) sendable(st CloseStatus) CloseStatus {
	sent, changed := st.sendable()
	if changed {
		s.log(slog.LevelError, "wye: a connection was to be closed with a code that a server cannot send; it is closed with 1011",
			[]any{"code", int(st.Code)})
	}
	return sent
}

// causeLocked is the error of whoever comes too late.
func (s *Session) causeLocked() error {
	if s.mu.cause != nil {
		return s.mu.cause
	}
	return ErrClosed
}
