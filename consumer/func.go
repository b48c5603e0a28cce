package consumer

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Func serves each connection with a call of f on a goroutine of its own, for
// the life of the connection. It is the form for conversations that are easier
// to write as a loop:
//
//	for m, err := range s.Messages(ctx) {
//
// The connection is accepted by the first send, by the first turn of the loop,
// or by s.Accept; an error that f returns before refuses it. Afterwards nil
// closes with 1000, and an error as in [Consumer]. ctx ends when the connection
// does; f must return then, and has ten seconds.
//
// Events with a handler are handled between the turns of the loop, and beside f
// where f is not in a loop.
func Func(f func(ctx context.Context, s *Stream) error, opts ...Option[*Stream]) protocol.Application {
	if f == nil {
		panic("wye: consumer.Func: the function is nil")
	}
	factory := func(s *Scope) *funcConsumer {
		return &funcConsumer{f: f, stream: newStream(s), done: make(chan struct{})}
	}
	return build(factory, (*funcConsumer).Receive, lift(opts))
}

// lift turns the options of a Stream into those of the consumer that runs it.
func lift(opts []Option[*Stream]) []Option[*funcConsumer] {
	in := newSpec(opts)
	return []Option[*funcConsumer]{func(out *spec[*funcConsumer]) {
		out.groups = in.groups
		for name, h := range in.events {
			out.events[name] = func(v *funcConsumer, ctx context.Context, c *Conn, e *protocol.Event) error {
				return h(v.stream, ctx, c, e)
			}
		}
	}}
}

var errGoexit = errors.New("wye: the function of consumer.Func ended its goroutine (runtime.Goexit, or FailNow of a test)")

// farewell is how long the function has after the end of the connection.
const farewell = 10 * time.Second

// funcConsumer runs f beside the callbacks.
type funcConsumer struct {
	f      func(context.Context, *Stream) error
	stream *Stream
	done   chan struct{} // closed when f has returned
	err    error         // what f returned; read it after done
}

// Connect starts f, and waits for its decision.
func (v *funcConsumer) Connect(ctx context.Context, c *Conn) error {
	v.stream.Conn = c
	c.Defer(v.stream.end)
	go v.run()
	select {
	case <-v.stream.begun:
		return v.stream.beginErr
	case <-v.done:
		return v.early()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// early is the decision of an f that has returned without one.
func (v *funcConsumer) early() error {
	if v.err != nil {
		return v.err
	}
	if err := v.stream.Conn.Accept(nil); err != nil && !errors.Is(err, protocol.ErrAccepted) {
		return err
	}
	v.stream.Close(protocol.CloseNormal, "")
	return nil
}

// run calls f and ends the connection with what it returns.
func (v *funcConsumer) run() {
	v.err = errGoexit
	defer func() {
		if p := recover(); p != nil {
			v.err = &protocol.PanicError{Value: p, Stack: debug.Stack()}
		}
		if v.stream.hasBegun() {
			v.stream.CloseWith(v.err)
		}
		close(v.done)
	}()
	v.err = v.f(v.stream.Context(), v.stream)
}

// Receive lends m to a turn of f's loop. What the peer had said before the
// connection ended has a while longer to be taken.
func (v *funcConsumer) Receive(ctx context.Context, _ *Conn, m Message) error {
	err := v.lend(ctx, m)
	if !errors.Is(err, errNotTaken) {
		return err
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := v.lend(late, m); err != nil {
		return protocol.ErrUnread
	}
	return nil
}

// errNotTaken means that ctx ended before f's loop came for the message.
var errNotTaken = errors.New("wye: message not taken in time")

func (v *funcConsumer) lend(ctx context.Context, m Message) error {
	select {
	case v.stream.next <- m:
		<-v.stream.turn
		return nil
	case <-v.stream.discard:
	case <-v.done:
	case <-ctx.Done():
		return errNotTaken
	}
	return protocol.ErrUnread
}

// Disconnect waits for f, so that the connection is in its groups while f runs.
func (v *funcConsumer) Disconnect(ctx context.Context, _ *Conn, _ CloseStatus) {
	v.stream.end()
	select {
	case <-v.done:
	case <-ctx.Done():
	}
}

// Stream is a connection with a loop over its messages. Only functions run by
// [Func] have one, because in a callback such a loop would wait for itself.
type Stream struct {
	*Conn
	scope *Scope

	once     sync.Once     // accepting
	begun    chan struct{} // closed when f has accepted, or tried to
	beginErr error         // read it after begun

	next    chan Message  // to the loop
	turn    chan struct{} // the loop is through with the message
	over    chan struct{} // closed when no more messages come
	end     func()        // closes over, once
	discard chan struct{} // closed when messages are not wanted
	mute    func()        // closes discard, once
}

func newStream(scope *Scope) *Stream {
	s := &Stream{
		scope:   scope,
		begun:   make(chan struct{}),
		next:    make(chan Message),
		turn:    make(chan struct{}),
		over:    make(chan struct{}),
		discard: make(chan struct{}),
	}
	s.end = sync.OnceFunc(func() { close(s.over) })
	s.mute = sync.OnceFunc(func() { close(s.discard) })
	return s
}

// begin accepts the connection, if that has not been done.
func (s *Stream) begin() { _ = s.accept(nil) } //nolint:errcheck // Connect reports it

// accept accepts once, and tells Connect how that went.
func (s *Stream) accept(o *protocol.AcceptOptions) error {
	err := protocol.ErrAccepted
	s.once.Do(func() {
		err = s.Conn.Accept(o)
		s.beginErr = err
		close(s.begun)
	})
	return err
}

func (s *Stream) hasBegun() bool {
	select {
	case <-s.begun:
		return true
	default:
		return false
	}
}
