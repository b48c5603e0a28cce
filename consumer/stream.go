package consumer

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
)

// Stream is a [Conn] with a loop over the peer's messages. The function of [Func]
// receives one. There is none for callbacks, in which such a loop would wait for the
// callback itself.
type Stream struct {
	*Conn
	scope atomic.Pointer[Scope] // until the handshake is answered; then nil
	kept  plumbing.KeptScope    // set before scope is nil
	spec  *spec[*Stream]

	decision atomic.Pointer[decision] // nil once the handshake is accepted
	handoff  handoff
}

func newStream(scope *Scope, sp *spec[*Stream]) *Stream {
	s := &Stream{spec: sp}
	s.decision.Store(newDecision())
	s.handoff.init()
	s.scope.Store(scope)
	return s
}

// releaseHandshake releases what only the handshake needs, when it is answered.
func (s *Stream) releaseHandshake() {
	s.kept = scopes.Kept(s.scope.Load())
	s.scope.Store(nil)
	if d := s.decision.Load(); d.isAccept() {
		s.decision.Store(nil)
	}
}

// acceptIfNeeded accepts the connection unless f has decided before.
func (s *Stream) acceptIfNeeded() { _ = s.acceptWith(nil) } //nolint:errcheck // Connect returns the error

// acceptWith accepts the connection, or returns ErrAccepted if f has decided before.
func (s *Stream) acceptWith(o *AcceptOptions) error {
	if d := s.decision.Load(); d.decide(func() error { return s.joinAndAccept(o) }) {
		return d.err
	}
	return plumbing.ErrAccepted
}

// joinAndAccept joins the groups of the option Groups and answers the handshake.
func (s *Stream) joinAndAccept(o *AcceptOptions) error {
	if err := s.Join(s.Context(), s.spec.groups...); err != nil {
		return err
	}
	return s.Conn.Accept(o)
}

// Scope returns the scope of the connection. Until the connection is accepted it also has
// the request, with its header, its query and the subprotocols that the peer offers: read
// them before that. Path, parameters, addresses, user and values stay available.
//
// Do not keep a Scope that was returned before the connection was accepted: it would
// keep the request in memory. The path stays in memory until the connection closes. Its
// length is bounded by the route, if the parameters of the route have bounded lengths, and
// otherwise by websocket.Options.MaxHandshake.
func (s *Stream) Scope() *Scope {
	if before := s.scope.Load(); before != nil {
		return before
	}
	return scopes.OfKept(s.kept)
}

// Accept accepts the connection with the subprotocol and headers of o; see
// [Conn.Accept]. Without it, the first send or the first iteration of the loop accepts
// with the defaults.
func (s *Stream) Accept(o *AcceptOptions) error { return s.acceptWith(o) }

// Send queues a message; see [Conn.Send]. It accepts the connection if that has
// not been done.
func (s *Stream) Send(ctx context.Context, m Message) error {
	s.acceptIfNeeded()
	return s.Conn.Send(ctx, m)
}

// SendText queues a text message; see Send.
func (s *Stream) SendText(ctx context.Context, t string) error {
	s.acceptIfNeeded()
	return s.Conn.SendText(ctx, t)
}

// SendJSON queues v, encoded by encoding/json, as a text message; see Send.
func (s *Stream) SendJSON(ctx context.Context, v any) error {
	s.acceptIfNeeded()
	return s.Conn.SendJSON(ctx, v)
}

// Discard makes the connection drop and count every message of the peer that is not yet
// read. Call it in a function that only sends: otherwise unread messages fill the
// read-ahead buffer, and the connection stops reading. Later calls have no effect.
func (s *Stream) Discard() { s.handoff.discard() }

// Messages returns an iterator over the peer's messages. It accepts the connection if that
// has not been done.
//
// The loop ends when the connection closes. If it closes with 1000, 1001 or without a
// code, the loop ends without an error; otherwise the last iteration yields the error.
// If ctx is done first, the last iteration yields its cause. Messages that the peer sent
// before it closed are yielded first, for one second, unless the server closed the
// connection.
//
// m.Data is valid until the body of the loop ends, calls Next, or ranges over Messages
// itself: to keep it, keep m.Text() or m.Clone().
//
// A loop that was left with break can be continued by another one, and a loop in the
// body of a loop continues it; no message is lost. Only one goroutine at a time may
// range over Messages or call Next. An event handler must do neither: it would wait for
// itself.
func (s *Stream) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		s.acceptIfNeeded()
		for {
			m, err := s.awaitMessage(ctx)
			if err != nil {
				if s.Context().Err() == nil || !isQuiet(err) {
					yield(Message{}, err)
				}
				return
			}
			if !s.yieldMessage(m, yield) {
				return
			}
		}
	}
}

// Next waits for the peer's next message and returns it. Use it to read one message,
// such as the answer to a question, also in the body of a loop over Messages: the loop
// continues with the message after it. Next accepts the connection if that has not been
// done.
//
// m.Data is a copy, which the caller owns. Only one goroutine at a time may call Next or
// range over Messages, and an event handler must do neither.
//
// Errors: the cause of ctx if ctx is done while the connection is open, in which case no
// message is lost; a *[CloseError], which matches [ErrClosed], if the connection has
// closed, also if the peer closed it normally. The function of Func may return either of
// them: that is not reported as a failure. Messages that the peer sent before it closed are returned
// first, as in a loop.
func (s *Stream) Next(ctx context.Context) (m Message, err error) {
	s.acceptIfNeeded()
	if m, err = s.awaitMessage(ctx); err != nil {
		return Message{}, err
	}
	defer s.handoff.returnLent()
	return m.Clone(), nil
}

// awaitMessage returns the next message, which is lent until returnLent. It returns the
// message that was lent before. The error says how the connection closed, or is the
// cause of ctx.
//
// The goroutine of an idle connection waits here. The runtime makes its stack small again
// only if little of it is in use: so this function has no select in which it waits, and
// small frames (TestStackOfALoop).
func (s *Stream) awaitMessage(ctx context.Context) (Message, error) {
	s.handoff.returnLent()
	for {
		own, seen := s.Context(), s.handoff.signals.Load()
		if ctx != own && ctx.Err() != nil && own.Err() == nil {
			return Message{}, context.Cause(ctx)
		}
		if own.Err() != nil {
			return s.awaitFinal()
		}
		m := s.handoff.take()
		switch {
		case m != nil:
			return *m, nil
		case ctx == own:
			s.handoff.wait(seen)
		default:
			s.handoff.waitOr(ctx, seen)
		}
	}
}

// awaitFinal is awaitMessage when the connection has closed: the peer may have sent
// messages before that.
func (s *Stream) awaitFinal() (Message, error) {
	final := s.FinalContext()
	for {
		seen := s.handoff.signals.Load()
		if final.Err() != nil {
			return Message{}, context.Cause(s.Context()) // no message is left
		}
		if m := s.handoff.take(); m != nil {
			return *m, nil
		}
		s.handoff.waitOr(final, seen)
	}
}

// yieldMessage calls yield with m, which is lent. It returns m also if yield panics,
// unless yield has read another message, which returned m.
func (s *Stream) yieldMessage(m Message, yield func(Message, error) bool) bool {
	number := s.handoff.number.Load()
	defer s.handoff.returnNumber(number)
	return yield(m, nil)
}

// isQuiet reports whether a connection that closed with err ends a loop without an
// error.
func isQuiet(err error) bool {
	ce, ok := errors.AsType[*CloseError](err)
	if !ok {
		return false
	}
	switch ce.Code {
	case CloseNormal, CloseGoingAway, CloseNoStatus:
		return true
	}
	return false
}
