package consumer

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// Func serves each connection with a call of f on a goroutine of its own, for
// the life of the connection. It is the form for conversations that are easier
// to write as a loop:
//
//	for m, err := range s.Messages(ctx) {
//
// The connection is accepted by the first send, by the first pass of the loop, or by
// s.Accept; an error that f returns before refuses it. Afterwards nil closes with 1000,
// and an error as in [Consumer]. ctx is the connection's and has none of the request's
// values: s.Scope().Context() has them, for a session or a user, until the connection is
// accepted.
//
// f runs as a function of [Conn.Go] does, and is one of Limits.Goroutines: ctx ends when
// the connection does, and f must return then. Disconnect waits for it, for ten seconds.
// Messages that the peer sent before it closed are still yielded for
// [protocol.FinalTime]. A pass of the loop that ignores ctx has as long as it takes,
// because the message's bytes are lent to it, and holds up the end of the connection for
// that long.
//
// [Stream.Next] reads one message. Events with a handler are handled between the passes
// of the loop, and beside f where f is not in a loop or calls Next. A message that no
// pass takes holds up what is behind it, events too: a function without a loop calls
// s.Discard.
func Func(f func(ctx context.Context, s *Stream) error, opts ...Option[*Stream]) protocol.Application {
	if f == nil {
		panic("wye: consumer.Func: the function is nil")
	}
	sp := newSpec(opts)
	sp.json.refuse("consumer.Func")
	factory := func(s *Scope) *funcConsumer {
		return &funcConsumer{f: f, stream: newStream(s, sp.groups)}
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

// funcConsumer runs f on a goroutine of the connection's own, beside the callbacks.
type funcConsumer struct {
	Base
	f      func(context.Context, *Stream) error
	stream *Stream
}

// Connect starts f, and waits for its decision.
func (v *funcConsumer) Connect(ctx context.Context, c *Conn) error {
	v.stream.Conn = c
	c.conn.Answered(func(*protocol.RejectError) { v.stream.keepScope() })
	if err := c.Go(v.run); err != nil {
		return err
	}
	select {
	case <-v.stream.decided:
		return v.stream.decision
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run calls f, and closes the connection with what it returns; if f has not decided
// whether to accept, that is the decision.
func (v *funcConsumer) run(ctx context.Context) error {
	s, returned := v.stream, false
	defer func() {
		s.Discard() // no pass takes messages any more
		if returned || s.hasDecided() {
			return // a panic closes the connection, and so does Goexit in any case
		}
		if p := recover(); p != nil {
			s.decide(func() error { return &protocol.PanicError{Value: p, Stack: debug.Stack()} })
		}
	}()
	err := v.f(ctx, s)
	returned = true
	first := s.decide(func() error {
		if err != nil {
			return err
		}
		return s.join(nil)
	})
	if !first || s.decision == nil {
		s.CloseWith(err)
	}
	return nil
}

// Receive lends m to a pass of f's loop. If the peer closes the connection meanwhile, f
// has a moment longer to take it.
func (v *funcConsumer) Receive(ctx context.Context, c *Conn, m Message) error {
	err := v.lend(ctx, m)
	if errors.Is(err, errNotTaken) {
		err = v.lend(c.FinalContext(), m)
	}
	if errors.Is(err, errNotTaken) {
		return plumbing.ErrUnread
	}
	return err
}

// errNotTaken means that ctx ended before f's loop took the message.
var errNotTaken = errors.New("wye: message not taken in time")

// lend has a pass of f's loop use m, and returns when it has.
func (v *funcConsumer) lend(ctx context.Context, m Message) error {
	if ctx.Err() != nil {
		return errNotTaken
	}
	select {
	case v.stream.messages <- m:
		<-v.stream.returned
		return nil
	case <-v.stream.discard:
		return plumbing.ErrUnread
	case <-ctx.Done():
		return errNotTaken
	}
}

// Stream is a connection with a loop over its messages. Only functions run by
// [Func] have one, because in a callback such a loop would wait for itself.
type Stream struct {
	*Conn
	scope  atomic.Pointer[Scope]
	groups []string // to join when accepting

	deciding sync.Once
	decided  chan struct{} // closed when f has accepted, or tried to, or has returned
	decision error         // of Connect; read it after decided

	messages chan Message  // from Receive to the loop
	returned chan struct{} // the message that is lent is given back
	lent     atomic.Uint64 // which message is; 0: none
	lends    atomic.Uint64 // messages that were lent

	discarding sync.Once
	discard    chan struct{} // closed when messages are not wanted
}

func newStream(scope *Scope, groups []string) *Stream {
	s := &Stream{
		groups:   groups,
		decided:  make(chan struct{}),
		messages: make(chan Message),
		returned: make(chan struct{}),
		discard:  make(chan struct{}),
	}
	s.scope.Store(scope)
	return s
}

// keepScope lets go of the request. It is called when the handshake is answered.
func (s *Stream) keepScope() { s.scope.Store(scopes.Kept(s.scope.Load())) }

// begin accepts the connection, if that has not been done.
func (s *Stream) begin() { _ = s.accept(nil) } //nolint:errcheck // Connect reports it

// accept accepts, unless f has decided before.
func (s *Stream) accept(o *protocol.AcceptOptions) error {
	if s.decide(func() error { return s.join(o) }) {
		return s.decision
	}
	return protocol.ErrAccepted
}

// join joins the groups and accepts.
func (s *Stream) join(o *protocol.AcceptOptions) error {
	if err := s.Join(s.Context(), s.groups...); err != nil {
		return err
	}
	return s.Conn.Accept(o)
}

// decide makes what f returns the decision, and tells Connect. It reports whether there
// was none before.
func (s *Stream) decide(f func() error) (first bool) {
	s.deciding.Do(func() {
		first = true
		s.decision = f()
		close(s.decided)
	})
	return first
}

// hasDecided reports whether there is a decision.
func (s *Stream) hasDecided() bool {
	select {
	case <-s.decided:
		return true
	default:
		return false
	}
}
