package consumer

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/scopes"
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
// closes with 1000, and an error as in [Consumer]. ctx is the connection's and has
// none of the request's values: s.Scope().Context() has them, for a session or a
// user, until the connection is accepted. ctx ends when the connection does; f
// must return then, and has ten seconds. Messages that the peer sent before it closed
// are still yielded for [protocol.FinalTime]. A turn of the loop that ignores
// ctx has as long as it takes, because the message's bytes are lent to it, and
// holds up the end of the connection for that long.
//
// [Stream.Next] reads one message. Events with a handler are handled between the turns
// of the loop, and beside f where f is not in a loop or calls Next. A message that no turn takes holds up what is behind
// it, events too: a function without a loop calls s.Discard.
func Func(f func(ctx context.Context, s *Stream) error, opts ...Option[*Stream]) protocol.Application {
	if f == nil {
		panic("wye: consumer.Func: the function is nil")
	}
	sp := newSpec(opts)
	sp.json.refuse("consumer.Func")
	factory := func(s *Scope) *funcConsumer {
		return &funcConsumer{f: f, stream: newStream(s, sp.groups), done: make(chan struct{})}
	}
	return build(factory, (*funcConsumer).Receive, lift(sp))
}

// lift turns the options of a Stream into those of the consumer that runs it. The
// stream joins its groups itself, before f goes on.
func lift(in *spec[*Stream]) *spec[*funcConsumer] {
	out := newSpec[*funcConsumer](nil)
	out.linger = in.linger
	for name, h := range in.events {
		out.events[name] = func(v *funcConsumer, ctx context.Context, c *Conn, e *protocol.Event) error {
			return h(v.stream, ctx, c, e)
		}
	}
	return out
}

var errGoexit = errors.New("wye: the function of consumer.Func ended its goroutine (runtime.Goexit, or FailNow of a test)")

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
	c.conn.Answered(func(*protocol.RejectError) { v.stream.keepScope() })
	go v.run()
	select {
	case <-v.stream.begun:
		return v.stream.beginErr
	case <-v.done:
		if v.stream.hasBegun() { // both at once
			return v.stream.beginErr
		}
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
	if err := v.stream.accept(nil); err != nil {
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

// Receive lends m to a turn of f's loop. If the peer ends the connection meanwhile,
// f has a moment longer to come for it.
func (v *funcConsumer) Receive(ctx context.Context, c *Conn, m Message) error {
	err := v.lend(ctx, m)
	if errors.Is(err, errNotTaken) {
		err = v.lend(c.FinalContext(), m)
	}
	if errors.Is(err, errNotTaken) {
		return protocol.ErrUnread
	}
	return err
}

// errNotTaken means that ctx ended before f's loop came for the message.
var errNotTaken = errors.New("wye: message not taken in time")

func (v *funcConsumer) lend(ctx context.Context, m Message) error {
	if ctx.Err() != nil {
		return errNotTaken
	}
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
	scope  atomic.Pointer[Scope]
	groups []string // to join when accepting

	once     sync.Once     // accepting
	begun    chan struct{} // closed when f has accepted, or tried to
	beginErr error         // read it after begun

	next    chan Message  // to the loop
	turn    chan struct{} // the message that is lent is given back
	lent    atomic.Uint64 // which message is; 0: none
	turns   atomic.Uint64 // messages that were lent
	over    chan struct{} // closed when no more messages come
	end     func()        // closes over, once
	discard chan struct{} // closed when messages are not wanted
	mute    func()        // closes discard, once
}

func newStream(scope *Scope, groups []string) *Stream {
	s := &Stream{
		groups:  groups,
		begun:   make(chan struct{}),
		next:    make(chan Message),
		turn:    make(chan struct{}),
		over:    make(chan struct{}),
		discard: make(chan struct{}),
	}
	s.scope.Store(scope)
	s.end = sync.OnceFunc(func() { close(s.over) })
	s.mute = sync.OnceFunc(func() { close(s.discard) })
	return s
}

// keepScope lets go of the request. It is called when the handshake is answered.
func (s *Stream) keepScope() { s.scope.Store(scopes.Kept(s.scope.Load())) }

// begin accepts the connection, if that has not been done.
func (s *Stream) begin() { _ = s.accept(nil) } //nolint:errcheck // Connect reports it

// accept accepts once, and tells Connect how that went.
func (s *Stream) accept(o *protocol.AcceptOptions) error {
	err := protocol.ErrAccepted
	s.once.Do(func() {
		if err = s.Join(s.Context(), s.groups...); err == nil {
			err = s.Conn.Accept(o)
		}
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
