package consumer

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// Func returns an application that serves each connection with a call of f, on a
// goroutine that lasts as long as the connection. It is the form for conversations that
// are easier to write as a loop:
//
//	for m, err := range s.Messages(ctx) {
//
// See the Example.
//
// The first send, the first iteration of the loop, or [Stream.Accept] accepts the
// connection. An error that f returns before that refuses it. When f returns later, the
// connection closes: with 1000 if f returns nil, and otherwise as described at
// [Consumer]. That is also so with the error of a send that did not reach other nodes
// (layers.ErrDown), which does not close other consumers: a loop that is to outlive an outage
// of the layer's back end goes on after that error.
//
// ctx is done when the connection closes, and f must return then: Disconnect waits for
// f, for ten seconds at most. f counts as one of Limits.Goroutines, as a function of
// [Conn.Go] does. ctx does not have the values of the request's context; until the
// connection is accepted, s.Scope().Context() has them.
//
// Messages that the peer sent before it closed are still yielded, for one second. An
// iteration that does not return when ctx is done delays the end of the connection,
// because it uses the bytes of its message.
//
// Handlers that [On] declares run between the iterations of the loop, and concurrently
// with f while f is outside the loop or calls [Stream.Next]. A message that f does not
// read blocks the messages and events behind it: a function without a loop calls
// [Stream.Discard].
//
// Func declares that its callbacks block, as router.Blocking does, because each message
// waits for the loop.
//
// Func panics if f is nil, or if an option is for JSON messages.
func Func(f func(ctx context.Context, s *Stream) error, opts ...Option[*Stream]) Application {
	if f == nil {
		panic("wye: consumer.Func: the function is nil")
	}
	sp := newSpec(opts)
	sp.json.refuse("consumer.Func")
	factory := func(s *Scope) *funcConsumer {
		return &funcConsumer{f: f, stream: newStream(s, sp)}
	}
	return newApplication(factory, (*funcConsumer).Receive, adaptSpec(sp))
}

// adaptSpec returns the spec of funcConsumers for that of their Streams. It has no
// groups: the Stream joins them itself when it accepts.
func adaptSpec(in *spec[*Stream]) *spec[*funcConsumer] {
	out := newSpec[*funcConsumer](nil)
	out.linger = in.linger
	for name, h := range in.events {
		out.events[name] = func(v *funcConsumer, ctx context.Context, c *Conn, e *Event) error {
			return h(v.stream, ctx, c, e)
		}
	}
	return out
}

// funcConsumer runs f on a goroutine of the connection, beside the callbacks.
type funcConsumer struct {
	Base
	f      func(context.Context, *Stream) error
	stream *Stream
}

// Connect starts f and waits until f has decided whether to accept.
func (v *funcConsumer) Connect(ctx context.Context, c *Conn) error {
	v.stream.Conn = c
	c.conn.SetBlocking(protocol.BlockingYes) // each message waits for f's loop
	c.conn.Answered(func(*RejectError) { v.stream.releaseHandshake() })
	plumbing.NotifyEnded(c.conn, &v.stream.handoff)
	d := v.stream.decision.Load()
	if err := c.Go(v.runFunc); err != nil {
		return err
	}
	select {
	case <-d.made:
		return d.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// runFunc calls f and closes the connection with its error. If f has not decided whether
// to accept, its error is the decision.
func (v *funcConsumer) runFunc(ctx context.Context) error {
	s, returned := v.stream, false
	defer func() {
		s.Discard() // f reads no more messages
		d := s.decision.Load()
		if returned || d.isMade() {
			return // Conn.Go closes the connection after a panic and after Goexit
		}
		if p := recover(); p != nil {
			d.decide(func() error { return &protocol.PanicError{Value: p, Stack: debug.Stack()} })
		}
	}()
	err := v.f(ctx, s)
	returned = true
	d := s.decision.Load()
	first := d.decide(func() error {
		if errors.Is(err, plumbing.ErrUnsent) {
			s.CloseWith(err) // otherwise it would accept, and nobody reads any longer
		}
		if err != nil {
			return err
		}
		return s.joinAndAccept(nil)
	})
	if !first || d.err == nil {
		s.CloseWith(err)
	}
	return nil
}

// Receive lends m to f's loop. If the peer closes the connection while m waits for the
// loop, the loop may still read m until FinalContext is done.
func (v *funcConsumer) Receive(ctx context.Context, c *Conn, m Message) error {
	err := v.lendMessage(ctx, m)
	if errors.Is(err, errNotRead) {
		err = v.lendMessage(c.FinalContext(), m)
	}
	if errors.Is(err, errNotRead) {
		return plumbing.ErrUnread
	}
	return err
}

// errNotRead means that ctx was done before f's loop read the message.
var errNotRead = errors.New("wye: message not read in time")

// lendMessage lends m to f's loop, and returns when the loop has returned it.
func (v *funcConsumer) lendMessage(ctx context.Context, m Message) error {
	if ctx.Err() != nil {
		return errNotRead
	}
	if v.stream.handoff.discards.Load() {
		return plumbing.ErrUnread
	}
	plumbing.WillWait(ctx)
	return v.stream.handoff.lend(ctx, ctx == v.stream.Context(), m)
}
