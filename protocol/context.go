package protocol

import (
	"context"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
)

// connContext is a Session as the context of its callbacks. Most callbacks only pass it on,
// so that the context that can be canceled is made by the first call of Done, or by the
// close. That one is of package context, and Value finds it. So contexts that are derived
// from a connContext, also through others in between, need no goroutine of their own.
type connContext Session

// contextState is what a connection's context has. Its fields do not change.
type contextState struct {
	base     context.Context         //nolint:containedctx // has the values
	canceled context.Context         //nolint:containedctx // derived from base; nil until the first Done, or the close
	cancel   context.CancelCauseFunc // of canceled
}

// context returns the context of the callbacks.
func (s *Session) context() context.Context { return (*connContext)(s) }

// setContextValues gives the connection's context the values of ctx. It is called once,
// before all other uses.
func (s *Session) setContextValues(ctx context.Context) {
	if ctx != context.Background() {
		s.ctx.Store(&contextState{base: context.WithoutCancel(ctx)})
	}
}

// cancelable returns the state with a context that can be canceled.
func (s *Session) cancelable() *contextState {
	for {
		old := s.ctx.Load()
		if old != nil && old.canceled != nil {
			return old
		}
		state := newContextState(old)
		if s.ctx.CompareAndSwap(old, state) {
			return state
		}
	}
}

// newContextState returns a state with the values of old, which may be nil, and a context
// that can be canceled.
func newContextState(old *contextState) *contextState {
	state := &contextState{base: context.Background()}
	if old != nil {
		state.base = old.base
	}
	state.canceled, state.cancel = context.WithCancelCause(state.base)
	return state
}

// endContext cancels the connection's context. The first call gives the cause.
func (s *Session) endContext(cause error) { s.cancelable().cancel(cause) }

// Deadline implements context.Context.
func (c *connContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (c *connContext) Done() <-chan struct{} { return (*Session)(c).cancelable().canceled.Done() }

// Err implements context.Context.
func (c *connContext) Err() error {
	if state := c.ctx.Load(); state != nil && state.canceled != nil {
		return state.canceled.Err()
	}
	return nil
}

// Value implements context.Context. Package context asks it for the canceled context, too.
func (c *connContext) Value(key any) any {
	if _, ok := key.(plumbing.WaiterKey); ok {
		w, _ := c.t.(plumbing.Waiter) //nolint:errcheck // nil if it is not one
		return w
	}
	switch state := c.ctx.Load(); {
	case state == nil:
		return nil
	case state.canceled != nil:
		return state.canceled.Value(key)
	default:
		return state.base.Value(key)
	}
}

// willWait tells the transport that the caller is about to wait.
func (s *Session) willWait() {
	if w, ok := s.t.(plumbing.Waiter); ok {
		w.WillWait()
	}
}
