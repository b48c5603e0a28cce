package consumer

import (
	"context"
	"errors"
	"iter"

	"github.com/wye-go/wye/protocol"
)

// Scope describes the connection. Once it is accepted, the request behind it is
// gone; parameters and path stay.
func (s *Stream) Scope() *Scope { return s.scope }

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
func (s *Stream) Discard() { s.mute() }

// Messages yields the peer's messages until the connection ends or ctx does. A
// close with 1000, 1001 or without a code ends the loop; anything else is
// yielded once, as the error, and ends it. A message's Data is lent until the
// next turn: keep m.Text() or m.Clone().
//
// What the peer had sent before it closed is still yielded, for
// [protocol.FinalTime], unless the connection is closed from our side. Leaving the
// loop and
// ranging again goes on where it was left. One goroutine at a time may range.
func (s *Stream) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		s.begin()
		for {
			m, more, err := s.await(ctx)
			switch {
			case err != nil:
				yield(Message{}, err)
				return
			case !more || !s.takeTurn(m, yield):
				return
			}
		}
	}
}

// await returns the next message. more is false when there will be none.
func (s *Stream) await(ctx context.Context) (m Message, more bool, err error) {
	select {
	case m = <-s.next:
		return m, true, nil
	case <-s.over:
		return m, false, s.ending()
	case <-ctx.Done():
		if s.Context().Err() == nil {
			return m, false, context.Cause(ctx)
		}
	}
	select { // the connection has ended: what the peer had said may still come
	case m = <-s.next:
		return m, true, nil
	case <-s.over:
		return m, false, s.ending()
	}
}

// takeTurn lends m to the loop's body, and gives it back whatever happens there.
func (s *Stream) takeTurn(m Message, yield func(Message, error) bool) bool {
	defer func() { s.turn <- struct{}{} }()
	return yield(m, nil)
}

// ending is what the end of the connection means to a loop.
func (s *Stream) ending() error {
	cause := context.Cause(s.Context())
	if ce, ok := errors.AsType[*protocol.CloseError](cause); ok {
		switch ce.Code {
		case protocol.CloseNormal, protocol.CloseGoingAway, protocol.CloseNoStatus:
			return nil
		}
	}
	return cause
}
