package protocol

import (
	"context"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
)

// connContext is a Session as the context of its callbacks. Most callbacks only pass it on,
// so that the context that can be canceled is made by the first call of Done. That one is of
// package context, and Value finds it. So contexts that are derived from a connContext, also
// through others in between, need no goroutine of their own.
type connContext Session

// contextState is what a connection's context has. Its fields do not change: a change makes
// a new one, with Session.mu held.
type contextState struct {
	base       context.Context         //nolint:containedctx // has the values
	cancelable context.Context         //nolint:containedctx // derived from base; nil until the first Done
	cancel     context.CancelCauseFunc // of cancelable
	cause      *CloseError             // the first close, or why the connection was refused; nil before
	ended      bool                    // by cause
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

// contextStateLocked returns a copy of the state of the context.
func (s *Session) contextStateLocked() contextState {
	if state := s.ctx.Load(); state != nil {
		return *state
	}
	return contextState{base: context.Background()}
}

// cause returns the first close, or why the connection was refused, or nil.
func (s *Session) cause() *CloseError {
	if state := s.ctx.Load(); state != nil {
		return state.cause
	}
	return nil
}

// setCauseLocked sets the cause. The context ends with endContextLocked.
func (s *Session) setCauseLocked(cause *CloseError) {
	state := s.contextStateLocked()
	state.cause = cause
	s.ctx.Store(&state)
}

// endContextLocked ends the connection's context. There must be a cause.
func (s *Session) endContextLocked() {
	state := s.contextStateLocked()
	if state.ended {
		return
	}
	state.ended = true
	s.ctx.Store(&state)
	if state.cancel != nil {
		state.cancel(state.cause)
	}
	if r := s.rare.Load(); r != nil && r.ender != nil {
		r.ender.Ended()
	}
}

// notifyEnded implements plumbing.NotifyEnded.
func (s *Session) notifyEnded(e plumbing.Ender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rarity().ender = e
	if s.contextStateLocked().ended {
		e.Ended()
	}
}

// endContext is endContextLocked without the lock.
func (s *Session) endContext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endContextLocked()
}

// cancelable returns a context of package context that ends when the connection does.
func (s *Session) cancelable() context.Context {
	if state := s.ctx.Load(); state != nil && state.cancelable != nil {
		return state.cancelable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.contextStateLocked()
	if state.cancelable == nil {
		state.cancelable, state.cancel = context.WithCancelCause(state.base)
		if state.ended {
			state.cancel(state.cause)
		}
		s.ctx.Store(&state)
	}
	return state.cancelable
}

// Deadline implements context.Context.
func (c *connContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (c *connContext) Done() <-chan struct{} { return (*Session)(c).cancelable().Done() }

// Err implements context.Context.
func (c *connContext) Err() error {
	switch state := c.ctx.Load(); {
	case state == nil:
		return nil
	case state.cancelable != nil:
		return state.cancelable.Err()
	case state.ended:
		return context.Canceled
	}
	return nil
}

// Value implements context.Context.
func (c *connContext) Value(key any) any {
	if _, ok := key.(plumbing.WaiterKey); ok {
		w, _ := c.t.(plumbing.Waiter) //nolint:errcheck // nil if it is not one
		return w
	}
	switch state := c.ctx.Load(); {
	case state == nil:
		return nil
	case state.ended: // context.Cause may be looking for it
		return (*Session)(c).cancelable().Value(key)
	case state.cancelable != nil:
		return state.cancelable.Value(key)
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
