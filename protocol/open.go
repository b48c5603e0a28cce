package protocol

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/wye-go/wye/internal/lazyctx"
	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol/internal/executor"
	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

var errNoHandler = errors.New("wye: the application returned neither a handler nor an error")

// A handshake has these phases, and the functions of this file stand in their order:
//
//  1. Open asks the application for a handler and calls Connect (connect). Meanwhile
//     sends wait, a close is remembered, and the limits may be changed.
//  2. The answer is given once, by opening.answer: Accept, or Connect's nil, accepts
//     (accept); otherwise it is no (reject). The transport learns a yes at
//     once, and the sends that wait follow it (openAfterEarlySends); then the connection
//     is open, or closes if a close was remembered.
//  3. When Connect has returned, concludeOpen tells the transport a no (refuse), lets go
//     of the request, and calls the functions of Conn.Answered (notifyAnswered).
//  4. The executor, which Open has held from the start, is released (releaseOpening):
//     what has become due runs elsewhere.

// NewSession prepares a session of app for the connection that scope describes. ctx
// gives the connection's own context its values: it must not be the request's, and its
// end does not close the connection. o may be nil. Sessions share o: the caller must not
// change it afterwards.
func NewSession(ctx context.Context, app Application, scope *Scope, t Transport, o *SessionOptions) *Session {
	if o == nil || o.Logger == nil || o.Counters == nil || o.Limits != o.Limits.WithDefaults() {
		o = o.withDefaults()
	}
	s := &Session{t: t}
	s.shared.Store(o)
	s.setPace(o.Limits.Rate)
	s.setContextValues(ctx)
	s.conn.s = s
	s.exec.Claim(0) // until releaseOpening
	s.mu.opening = &opening{app: app, scope: scope}
	return s
}

// Open calls the application's Open and the handler's Connect, and has the transport accept
// or reject. It reports whether the connection was accepted. The protocol calls it once, on
// a goroutine that may block: it returns when Connect has returned. Later callbacks run on
// other goroutines.
func (s *Session) Open() (accepted bool) {
	o, err := s.opening(), errGoexit
	defer func() {
		// A callback that ends the goroutine ends this function too, and the
		// peer still gets its answer.
		accepted = s.concludeOpen(o, err)
	}()
	err = s.orEarlyClose(s.connect(o))
	if err == nil || accepts(err) || isUnsent(err) {
		err = cmp.Or(s.acceptDefault(), err)
	}
	return false // set by the deferred function
}

// opening returns what there is before the answer, or nil once it is given.
func (s *Session) opening() *opening {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.opening
}

// connect finds the handler and calls its Connect, with a ctx that ends when the
// connection does.
func (s *Session) connect(o *opening) (err error) {
	defer containPanic(&err)
	ctx := lazyctx.New(o.scope.Context())
	defer ctx.Cancel(nil)
	s.mu.Lock()
	o.connecting = ctx
	closed := s.cause()
	s.mu.Unlock()
	if closed != nil {
		ctx.Cancel(closed)
	}
	h, err := o.app.Open(o.scope)
	if err != nil {
		return err
	}
	if h == nil {
		return errNoHandler
	}
	s.h = h
	return h.Connect(ctx, &s.conn)
}

// limit is Conn.Limit.
func (s *Session) limit(l Limits) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.mu.life.State() {
	case lifecycle.Opening:
	case lifecycle.Rejected:
		return s.causeLocked()
	case lifecycle.Answering, lifecycle.Open, lifecycle.Closing, lifecycle.Closed:
		return plumbing.ErrAccepted
	}
	if limits := l.over(*s.limits()); limits != *s.limits() {
		own := *s.options()
		own.Limits = limits
		s.shared.Store(&own)
		s.setPace(limits.Rate)
	}
	return nil
}

// setPace bounds how fast the peer may send.
func (s *Session) setPace(r Rate) {
	switch {
	case r != (Rate{}):
		s.rarity().pace = newPace(r)
	case s.pace() != nil:
		s.rarity().pace = nil
	}
	s.exec.Put(executor.Paced, r != (Rate{}))
}

// orEarlyClose returns err, or the close that came before the answer if err only says
// that there was one.
func (s *Session) orEarlyClose(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.life.IsEarly() && !isPanic(err) && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed)) {
		return &CloseError{CloseStatus: s.cause().CloseStatus}
	}
	return err
}

// acceptDefault accepts, unless that has been done.
func (s *Session) acceptDefault() error {
	if s.h == nil {
		s.h = closingHandler{}
	}
	if err := s.orEarlyClose(s.accept(AcceptOptions{})); !errors.Is(err, plumbing.ErrAccepted) {
		return err
	}
	return nil
}

// accept is Conn.Accept: it answers yes, once.
func (s *Session) accept(opts AcceptOptions) error {
	o := s.opening()
	if o == nil {
		return s.lateAnswer()
	}
	o.answer.Lock()
	defer o.answer.Unlock()
	if o.answer.given {
		return s.lateAnswer()
	}
	o.answer.given = true
	if err := s.startAnswer(o, opts); err != nil {
		return err
	}
	return s.endAnswer(o, s.acceptContained(opts))
}

// lateAnswer returns the error of an Accept for which it is too late.
func (s *Session) lateAnswer() error {
	if s.isRejected() {
		return ErrClosed
	}
	return plumbing.ErrAccepted
}

// startAnswer returns nil if the transport has to accept. Otherwise the answer is no.
func (s *Session) startAnswer(o *opening, opts AcceptOptions) error {
	if err := checkSubprotocol(o.scope, opts.Subprotocol); err != nil {
		s.reject()
		s.closeRefused(err)
		return err
	}
	s.mu.Lock()
	ok := s.mu.life.Answer()
	s.mu.Unlock()
	if !ok {
		s.reject()
		return ErrClosed
	}
	return nil
}

// endAnswer goes on when the transport's Accept has returned err.
func (s *Session) endAnswer(o *opening, err error) error {
	if err != nil {
		s.reject()
		s.closeRefused(err)
		return err
	}
	s.options().Counters.accepted.Add(1)
	s.options().Counters.open.Add(1)
	s.openAfterEarlySends(o)
	return nil
}

// acceptContained has the transport accept.
func (s *Session) acceptContained(opts AcceptOptions) (err error) {
	defer containPanic(&err)
	return s.t.Accept(opts) //nolint:wrapcheck // it says what is wrong
}

// checkSubprotocol refuses a subprotocol that the peer has not offered: it would close
// the connection over it.
func checkSubprotocol(scope *Scope, chosen string) error {
	if chosen == "" || slices.Contains(scope.Subprotocols(), chosen) {
		return nil
	}
	return fmt.Errorf("wye: subprotocol %s was not offered by the peer; choose one of Scope.Subprotocols", chosen)
}

// openAfterEarlySends sends what was sent before the answer, and opens the connection
// when nothing is left. If it was closed meanwhile, it closes now.
func (s *Session) openAfterEarlySends(o *opening) {
	for {
		s.mu.Lock()
		waiting := o.dequeueWaiting()
		if waiting.Len() == 0 {
			break
		}
		s.mu.Unlock()
		for _, m := range waiting.All() {
			switch err := s.transmit(*m); {
			case errors.Is(err, ErrQueueFull):
				_ = s.applyOverflow(*m) //nolint:errcheck // the sender has been told that it waits
			case err != nil:
				s.options().Counters.messages.dropped.Add(1)
			}
		}
	}
	var c closing
	if effect := s.mu.life.Open(); effect == lifecycle.Closes {
		c = s.closingLocked(effect)
	} else {
		s.exec.Put(executor.Open, true)
	}
	s.mu.Unlock()
	s.carryOut(c)
}

// reject is the answer no: from here on accept fails.
func (s *Session) reject() {
	s.mu.Lock()
	s.mu.life.Reject()
	s.mu.Unlock()
}

// concludeOpen does what is left when Connect has returned err. It reports whether the
// connection was accepted.
func (s *Session) concludeOpen(o *opening, err error) (accepted bool) {
	o.answer.Lock() // waits for an Accept elsewhere
	if !o.answer.given {
		o.answer.given = true
		s.reject()
	}
	o.answer.Unlock()
	accepted = !s.isRejected()
	var refused *RejectError
	if accepted {
		s.applyError(err)
	} else {
		refused = s.refuse(o.scope, s.orAcceptError(err))
	}
	o.scope.answered(s.context())
	s.notifyAnswered(refused)
	s.releaseOpening()
	return accepted
}

// orAcceptError returns err, or the error of an Accept that has failed before, if err
// says only that it was too late.
func (s *Session) orAcceptError(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == ErrClosed && s.cause() != nil && s.cause().Err != nil { //nolint:errorlint,err113 // accept returns it as it is
		return s.cause().Err
	}
	return err
}

// refuse has the transport refuse, and returns the answer.
func (s *Session) refuse(scope *Scope, err error) *RejectError {
	s.options().Counters.refused.Add(1)
	answer, cause := rejection(err)
	if isPanic(err) {
		s.options().Counters.panics.Add(1)
	}
	if gone := errors.Is(err, context.Canceled) && scope.Context().Err() != nil; !gone {
		s.logRefused(scope, answer, cause)
	}
	s.closeRefused(err)
	if err := s.rejectContained(answer); err != nil {
		s.reportFault(err, lifecycle.Ignored)
	}
	return answer
}

// rejectContained has the transport refuse. Middleware of net/http may wrap the
// ResponseWriter, and panic.
func (s *Session) rejectContained(answer *RejectError) (err error) {
	defer containPanic(&err)
	s.t.Reject(answer)
	return nil
}

// logRefused logs a refusal that is a fault of the program or a mistake of the peer.
func (s *Session) logRefused(scope *Scope, answer *RejectError, cause blame) {
	attrs := func() []any {
		return append(details(answer.Err), "path", logs.Cut(scope.RootPath()+scope.Path()), "peer", logs.Cut(scope.RemoteAddr()),
			"status", answer.Status)
	}
	switch cause {
	case notLogged:
	case serverFault:
		s.options().Counters.log(s.options().Logger, slog.LevelError, "wye: connection refused because of an error", attrs)
	case peerMistake:
		s.options().Counters.log(s.options().Logger, slog.LevelWarn,
			"wye: connection refused because of an invalid name, which probably comes from the peer", attrs)
	}
}

// answered is Conn.Answered.
func (s *Session) answered(f func(*RejectError)) {
	s.mu.Lock()
	if o := s.mu.opening; o != nil {
		o.answered = append(o.answered, f)
		s.mu.Unlock()
		return
	}
	rejected := s.mu.life.State() == lifecycle.Rejected
	s.mu.Unlock()
	if !rejected {
		s.callLate(func() { f(nil) })
	}
}

// notifyAnswered calls the functions of Conn.Answered. From here on nothing is kept of the
// handshake.
func (s *Session) notifyAnswered(refused *RejectError) {
	s.mu.Lock()
	o := s.mu.opening
	s.mu.opening = nil
	s.mu.Unlock()
	for _, f := range o.answered {
		s.callDeferred(func() { f(refused) })
	}
}

// releaseOpening releases the executor, or has what has become due run elsewhere.
func (s *Session) releaseOpening() {
	s.mu.Lock()
	rejected := s.mu.life.State() == lifecycle.Rejected
	due := s.hasMailLocked() || s.mu.life.IsOver()
	if !due {
		s.exec.Release()
	}
	s.mu.Unlock()
	switch {
	case rejected:
		s.Run(0) // nothing of the user's is left to run but what was deferred
	case due:
		s.schedule()
	}
}
