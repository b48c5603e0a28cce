package protocol

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/wye-go/wye/internal/logs"
)

var (
	errNoHandler = errors.New("wye: the application returned neither a handler nor an error")
	errGoexit    = errors.New("wye: a callback ended its goroutine (runtime.Goexit, or FailNow of a test)")
)

// Open routes, runs Connect, and accepts or rejects; it reports whether the
// connection is open. It is called once, on a goroutine that may wait for user
// code, and ends when Connect has. Callbacks after it run elsewhere.
func (s *Session) Open() (accepted bool) {
	err := errGoexit
	defer func() {
		// A callback that ends the goroutine ends this function too, and the
		// peer still gets its answer.
		accepted = s.opened(err)
	}()
	err = s.early(s.contained(s.connect))
	if err == nil || Accepts(err) {
		err = cmp.Or(s.acceptNow(), err)
	}
	return false // set by the deferred function
}

// acceptNow accepts, unless that has been done.
func (s *Session) acceptNow() error {
	if s.h == nil {
		s.h = nobody{}
	}
	if err := s.early(s.accept(AcceptOptions{})); !errors.Is(err, ErrAccepted) {
		return err
	}
	return nil
}

// nobody handles a connection that is accepted to be told why it is closed.
type nobody struct{}

func (nobody) Connect(context.Context, *Conn) error           { return nil }
func (nobody) Receive(context.Context, *Conn, Message) error  { return nil }
func (nobody) Event(context.Context, *Conn, *Event) error     { return nil }
func (nobody) Disconnect(context.Context, *Conn, CloseStatus) {}

// connect finds the handler and asks it.
func (s *Session) connect() error {
	ctx, cancel := context.WithCancelCause(s.scope.Context())
	defer cancel(nil)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	defer stop()
	h, err := s.app.Open(s.scope)
	if err != nil {
		return err
	}
	if h == nil {
		return errNoHandler
	}
	s.h = h
	return h.Connect(ctx, &s.conn)
}

// early is the error of a connection that was closed instead of accepted, which
// is also what made a Connect give up.
func (s *Session) early(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	life := &s.mu.life
	closed := life.early && (life.state == stateOpening || life.state == stateRejected)
	if closed && !isPanic(err) && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed)) {
		return &CloseError{CloseStatus: life.status}
	}
	return err
}

// opened does what Open has decided.
func (s *Session) opened(err error) bool {
	scope := s.scope
	var refused *RejectError
	s.answer.Do(s.reject) // unless somebody has accepted, or tried to
	s.mu.Lock()
	rejected := s.mu.life.state == stateRejected
	s.mu.Unlock()
	if rejected {
		refused = s.refuse(scope, s.whyNot(err))
	} else {
		s.failed(err)
	}
	scope.answered(s.ctx)
	s.scope, s.app = nil, nil
	s.tell(refused)
	s.release()
	return !rejected
}

// whyNot is the error of an Accept that has failed before, in place of one that
// says only that it is too late.
func (s *Session) whyNot(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == ErrClosed && s.mu.cause != nil && s.mu.cause.Err != nil { //nolint:errorlint,err113 // accept returns it as it is
		return s.mu.cause.Err
	}
	return err
}

// reject is the answer no: from here on nobody can accept.
func (s *Session) reject() {
	s.mu.Lock()
	s.mu.life.step(stateRejected)
	s.mu.Unlock()
}

// refuse gives the answer no, and returns it.
func (s *Session) refuse(scope *Scope, err error) *RejectError {
	s.shared.Counters.refused.Add(1)
	answer, cause := rejection(err)
	if isPanic(err) {
		s.shared.Counters.panics.Add(1)
	}
	gone := errors.Is(err, context.Canceled) && scope.Context().Err() != nil
	if !gone {
		s.logRefused(scope, answer, cause)
	}
	s.over(err)
	// Middleware of net/http may have its hands in the answer, and panic.
	if err := s.contained(func() error { s.t.Reject(answer); return nil }); err != nil {
		s.fault(err, endIgnored)
	}
	return answer
}

// logRefused logs a refusal that somebody should know of.
func (s *Session) logRefused(scope *Scope, answer *RejectError, cause blame) {
	attrs := func() []any {
		return append(details(answer.Err), "path", logs.Cut(scope.RootPath()+scope.Path()), "peer", logs.Cut(scope.RemoteAddr()),
			"status", answer.Status)
	}
	switch cause {
	case nobodys:
	case ours:
		s.shared.Counters.log(s.shared.Logger, slog.LevelError, "wye: connection refused because of an error", attrs)
	case peers:
		s.shared.Counters.log(s.shared.Logger, slog.LevelWarn, "wye: connection refused because of what the peer asked for", attrs)
	}
}

// openingLocked returns the place for what there is only before the answer.
func (s *Session) openingLocked() *opening {
	if s.mu.opening == nil {
		s.mu.opening = new(opening)
	}
	return s.mu.opening
}

// takeWaitingLocked returns the sends that have waited for the answer.
func (s *Session) takeWaitingLocked() (waiting []outgoing) {
	if early := s.mu.opening; early != nil {
		waiting, early.waiting, early.queued = early.waiting, nil, 0
	}
	return waiting
}

// answered is Conn.Answered.
func (s *Session) answered(f func(*RejectError)) {
	s.mu.Lock()
	if !s.mu.told {
		early := s.openingLocked()
		early.answered = append(early.answered, f)
		s.mu.Unlock()
		return
	}
	accepted := s.mu.life.state != stateRejected
	s.mu.Unlock()
	if accepted {
		s.finish(func() { f(nil) })
	}
}

// tell says what the answer was to those who want to know it.
func (s *Session) tell(refused *RejectError) {
	s.mu.Lock()
	early := s.mu.opening
	s.mu.opening, s.mu.told = nil, true
	s.mu.Unlock()
	if early == nil {
		return
	}
	for _, f := range early.answered {
		s.finish(func() { f(refused) })
	}
}

// over ends the context of a connection that will never be open.
func (s *Session) over(err error) {
	st := CloseStatus{Code: CloseAbnormal, Err: err}
	s.mu.Lock()
	if s.mu.life.early {
		st = s.mu.life.status
	}
	if s.mu.cause == nil {
		s.mu.cause = &CloseError{CloseStatus: st, ended: true}
	}
	cause := s.mu.cause
	s.mu.Unlock()
	s.cancel(cause)
}

// details are the log attributes of err.
func details(err error) []any {
	attrs := []any{"error", logs.Error(err)}
	if p, ok := errors.AsType[*PanicError](err); ok {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	return attrs
}

// release gives up running callbacks, or has what is due run elsewhere.
func (s *Session) release() {
	s.mu.Lock()
	due := !s.mu.mail.empty() || s.mu.life.over()
	rejected := s.mu.life.state == stateRejected
	s.mu.running = due
	s.mu.Unlock()
	switch {
	case rejected:
		s.drain() // nothing of the user's is left to run but what was deferred
	case due:
		s.schedule()
	}
}

// accept answers yes, once.
func (s *Session) accept(o AcceptOptions) error {
	err, mine := ErrAccepted, false
	s.answer.Do(func() { err, mine = s.answerYes(o), true })
	if !mine && s.wasRejected() {
		return ErrClosed
	}
	return err
}

func (s *Session) answerYes(o AcceptOptions) error {
	if err := s.checkAccept(o); err != nil {
		s.reject()
		s.over(err)
		return err
	}
	s.mu.Lock()
	ok := !s.mu.life.early && s.mu.life.step(stateAnswering)
	s.mu.Unlock()
	if !ok {
		s.reject()
		return ErrClosed
	}
	if err := s.contained(func() error { return s.t.Accept(o) }); err != nil {
		s.reject()
		s.over(err)
		return err
	}
	s.shared.Counters.accepted.Add(1)
	s.shared.Counters.open.Add(1)
	s.flushWaiting()
	return nil
}

// checkAccept refuses a subprotocol that the peer has not offered: it would
// close the connection over it.
func (s *Session) checkAccept(o AcceptOptions) error {
	if o.Subprotocol == "" || slices.Contains(s.scope.Subprotocols(), o.Subprotocol) {
		return nil
	}
	return errors.New("wye: subprotocol " + o.Subprotocol + " was not offered by the peer; choose one of Scope.Subprotocols")
}

// flushWaiting sends what was sent before the answer, and opens.
func (s *Session) flushWaiting() {
	for {
		s.mu.Lock()
		waiting := s.takeWaitingLocked()
		if len(waiting) == 0 {
			s.openUnlock()
			return
		}
		s.mu.Unlock()
		for _, o := range waiting {
			switch err := s.transmit(o); {
			case errors.Is(err, ErrFull):
				_ = s.full(o) //nolint:errcheck // the sender has been told that it waits
			case err != nil:
				s.shared.Counters.messages.dropped.Add(1)
			}
		}
	}
}

// openUnlock lets sends through, unless the connection has ended meanwhile.
func (s *Session) openUnlock() {
	if !s.mu.life.open() {
		s.flags.put(flagOpen, true)
		s.mu.Unlock()
		return
	}
	e := s.endLocked()
	s.mu.Unlock()
	s.ended(e)
}

func (s *Session) transmit(o outgoing) error {
	if o.prepared != nil {
		return s.t.SendPrepared(o.prepared)
	}
	return s.t.Send(o.msg)
}

// logAttrs adds the connection's name, if the transport has one.
func (s *Session) logAttrs(attrs []any) []any {
	if v, ok := s.t.(slog.LogValuer); ok {
		return append(attrs, "conn", v)
	}
	return attrs
}
