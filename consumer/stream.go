package consumer

import (
	"context"
	"errors"
	"iter"

	"github.com/wye-go/wye/protocol"
)

// Scope describes the connection. Once it is accepted, the request behind it is gone,
// and with it header, query and the subprotocols that the peer offers: read them before
// the connection is accepted. Path, parameters, addresses, User and values stay. A path may
// be as long as websocket.Options.MaxHandshake, and stays in memory once: routes whose
// parameters have a bounded length bound it. Do not keep what Scope has returned before
// the connection was accepted: it would keep the request in memory.
func (s *Stream) Scope() *Scope { return s.scope.Load() }

// Accept answers the handshake now, with options; see [protocol.Conn.Accept]. A
// send or the loop does so without.
func (s *Stream) Accept(o *protocol.AcceptOptions) error { return s.accept(o) }

// Send queues a message; see [protocol.Conn.Send]. It accepts the connection if
// that has not been done.
func (s *Stream) Send(ctx context.Context, m Message) error {
	s.begin()
	return s.Conn.Send(ctx, m)
}

// SendText queues a text message; see Send.
func (s *Stream) SendText(ctx context.Context, t string) error {
	s.begin()
	return s.Conn.SendText(ctx, t)
}

// SendJSON queues v, encoded, as a text message; see Send.
func (s *Stream) SendJSON(ctx context.Context, v any) error {
	s.begin()
	return s.Conn.SendJSON(ctx, v)
}

// Discard drops and counts what the peer says from now on. Call it in a function
// that only sends; otherwise unread messages fill the read-ahead and then hold
// the peer up. Calling it again does nothing.
func (s *Stream) Discard() { s.discarding.Do(func() { close(s.discard) }) }

// Messages yields the peer's messages until the connection ends or ctx does. A
// close with 1000, 1001 or without a code ends the loop; anything else is
// yielded once, as the error, and ends it. A message's Data is lent until the body of
// the loop is through with it, or calls Next or ranges itself: keep m.Text() or
// m.Clone().
//
// What the peer had sent before it closed is still yielded, for
// a second, unless the connection is closed from our side. Leaving the
// loop and ranging again goes on where it was left; so does a loop in the body of
// another one. One goroutine at a time may range or call Next, and an event handler
// must not: it would wait for itself.
func (s *Stream) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		s.begin()
		for {
			m, err := s.await(ctx)
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

// Next waits for the peer's next message and returns it. It is for reading one
// message, such as the answer to a question, also in the body of a loop over Messages,
// which goes on with the message after it. Like the loop, it accepts the connection if
// that has not been done.
//
// m.Data is a copy, which the caller may keep and change. Callbacks go on as soon as
// Next has returned. One goroutine at a time may call Next or range over Messages, and
// an event handler must not.
//
// Errors: ctx's cause when ctx ends while the connection lasts, in which case no
// message is lost; a *CloseError, which matches protocol.ErrClosed, when the
// connection has ended, also if the peer closed normally, because there is no message.
// A function may return either of them: to pass on how the connection ended is no
// failure. What the peer had sent before it closed is returned first, as in a loop.
func (s *Stream) Next(ctx context.Context) (m Message, err error) {
	s.begin()
	if m, err = s.await(ctx); err != nil {
		return Message{}, err
	}
	defer s.giveBack()
	return m.Clone(), nil
}

// await returns the next message, which is lent until giveBack. One that is lent
// already is given back before. The error is the connection's end, or ctx's.
func (s *Stream) await(ctx context.Context) (Message, error) {
	s.giveBack()
	select {
	case m := <-s.messages:
		return s.borrow(m), nil
	case <-s.Context().Done():
	case <-ctx.Done():
		if s.Context().Err() == nil {
			return Message{}, context.Cause(ctx)
		}
	}
	select { // the connection has closed: what the peer sent before may still come
	case m := <-s.messages:
		return s.borrow(m), nil
	case <-s.FinalContext().Done(): // nothing comes any more
	}
	return Message{}, context.Cause(s.Context())
}

// borrow takes note that m is lent to a pass of the loop, or to Next.
func (s *Stream) borrow(m Message) Message {
	s.lent.Store(s.lends.Add(1))
	return m
}

// giveBack gives back the message that is lent, if one is.
func (s *Stream) giveBack() {
	if s.lent.Swap(0) != 0 {
		s.returned <- struct{}{}
	}
}

// yieldMessage lends m to the loop's body, and gives it back whatever happens there, if
// the body has not taken the next one meanwhile.
func (s *Stream) yieldMessage(m Message, yield func(Message, error) bool) bool {
	lent := s.lent.Load()
	defer func() {
		if s.lent.CompareAndSwap(lent, 0) {
			s.returned <- struct{}{}
		}
	}()
	return yield(m, nil)
}

// isQuiet reports whether the end of a connection ends a loop without an error.
func isQuiet(err error) bool {
	ce, ok := errors.AsType[*protocol.CloseError](err)
	if !ok {
		return false
	}
	switch ce.Code {
	case protocol.CloseNormal, protocol.CloseGoingAway, protocol.CloseNoStatus:
		return true
	}
	return false
}
