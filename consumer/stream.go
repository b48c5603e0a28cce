package consumer

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
)

// Stream is a [Conn] with a loop over the peer's messages. The function of [Func]
// receives one. There is none for callbacks, in which such a loop would wait for the
// callback itself.
type Stream struct {
	*Conn
	scope  atomic.Pointer[Scope]
	groups []string // those of the option Groups

	decideOnce sync.Once
	decided    chan struct{} // closed when decision is set
	decision   error         // what Connect returns: nil accepts

	// A message is lent: Receive sends it to the loop and waits until the loop returns it.
	messages  chan Message  // from Receive to the loop
	returned  chan struct{} // from the loop to Receive: the message was returned
	lent      atomic.Uint64 // the number of the message that is lent; 0 if there is none
	lentTotal atomic.Uint64 // how many messages have been lent

	discardOnce sync.Once
	discarded   chan struct{} // closed by Discard
}

func newStream(scope *Scope, groups []string) *Stream {
	s := &Stream{
		groups:    groups,
		decided:   make(chan struct{}),
		messages:  make(chan Message),
		returned:  make(chan struct{}),
		discarded: make(chan struct{}),
	}
	s.scope.Store(scope)
	return s
}

// releaseRequest replaces the scope by one that does not keep the request in memory. It
// is called when the handshake is answered.
func (s *Stream) releaseRequest() { s.scope.Store(scopes.Kept(s.scope.Load())) }

// acceptIfNeeded accepts the connection unless f has decided before.
func (s *Stream) acceptIfNeeded() { _ = s.acceptWith(nil) } //nolint:errcheck // Connect returns the error

// acceptWith accepts the connection, or returns ErrAccepted if f has decided before.
func (s *Stream) acceptWith(o *AcceptOptions) error {
	if s.decide(func() error { return s.joinAndAccept(o) }) {
		return s.decision
	}
	return plumbing.ErrAccepted
}

// joinAndAccept joins the groups of the option Groups and answers the handshake.
func (s *Stream) joinAndAccept(o *AcceptOptions) error {
	if err := s.Join(s.Context(), s.groups...); err != nil {
		return err
	}
	return s.Conn.Accept(o)
}

// decide calls f and makes its result the decision, unless there is one. It reports
// whether it called f.
func (s *Stream) decide(f func() error) (first bool) {
	s.decideOnce.Do(func() {
		first = true
		s.decision = f()
		close(s.decided)
	})
	return first
}

// isDecided reports whether there is a decision.
func (s *Stream) isDecided() bool {
	select {
	case <-s.decided:
		return true
	default:
		return false
	}
}

// Scope returns the scope of the connection. Until the connection is accepted it also has
// the request, with its header, its query and the subprotocols that the peer offers: read
// them before that. Path, parameters, addresses, user and values stay available.
//
// Do not keep a Scope that was returned before the connection was accepted: it would
// keep the request in memory. The path stays in memory until the connection closes. Its
// length is bounded by the route, if the parameters of the route have bounded lengths, and
// otherwise by websocket.Options.MaxHandshake.
func (s *Stream) Scope() *Scope { return s.scope.Load() }

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
func (s *Stream) Discard() { s.discardOnce.Do(func() { close(s.discarded) }) }

// discards reports whether Discard has been called.
func (s *Stream) discards() bool {
	select {
	case <-s.discarded:
		return true
	default:
		return false
	}
}

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
	defer s.returnLent()
	return m.Clone(), nil
}

// awaitMessage returns the next message, which is lent until returnLent. It returns the
// message that was lent before. The error says how the connection closed, or is the
// cause of ctx.
func (s *Stream) awaitMessage(ctx context.Context) (Message, error) {
	s.returnLent()
	var done <-chan struct{} // nil if ctx is the connection's own: waiting for both would take memory
	if ctx != s.Context() {
		done = ctx.Done()
	}
	select {
	case m := <-s.messages:
		return s.markLent(m), nil
	case <-s.Context().Done():
	case <-done:
		if s.Context().Err() == nil {
			return Message{}, context.Cause(ctx)
		}
	}
	select { // the connection has closed; the peer may have sent messages before that
	case m := <-s.messages:
		return s.markLent(m), nil
	case <-s.FinalContext().Done(): // no message is left
	}
	return Message{}, context.Cause(s.Context())
}

// markLent notes that m is lent to an iteration of the loop, or to Next.
func (s *Stream) markLent(m Message) Message {
	s.lent.Store(s.lentTotal.Add(1))
	return m
}

// returnLent returns the message that is lent, if there is one.
func (s *Stream) returnLent() {
	if s.lent.Swap(0) != 0 {
		s.returned <- struct{}{}
	}
}

// yieldMessage calls yield with m, which is lent. It returns m also if yield panics,
// unless yield has read another message, which returned m.
func (s *Stream) yieldMessage(m Message, yield func(Message, error) bool) bool {
	lent := s.lent.Load()
	defer func() {
		if s.lent.CompareAndSwap(lent, 0) {
			s.returned <- struct{}{}
		}
	}()
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
