// Package lazyctx has contexts for calls that mostly return before anything ends. They
// make a channel and a timer, and register with their parent, only when a program waits
// for their end.
package lazyctx

import (
	"context"
	"sync"
	"time"
)

// Context is a context that ends with its parent, at its deadline, or when it is
// canceled. It behaves as one of package context does, also for context.Cause,
// context.AfterFunc and contexts that are derived from it.
type Context struct {
	parent   context.Context //nolint:containedctx // it is a context
	deadline time.Time       // zero: none

	mu struct {
		sync.Mutex
		ended   how
		cause   error                   // if canceled
		waiting context.Context         //nolint:containedctx // of package context; made when it is needed
		stop    context.CancelCauseFunc // ends waiting
	}
}

// how says why a context has ended before waiting was made.
type how uint8

const (
	notEnded how = iota
	byParent
	byDeadline
	byCancel
)

// New returns a context that ends with its parent or when it is canceled.
func New(parent context.Context) *Context { return &Context{parent: parent} }

// WithTimeout returns a context that ends with its parent, after d, or when it is canceled.
func WithTimeout(parent context.Context, d time.Duration) *Context {
	c := new(Context)
	c.Init(parent, d)
	return c
}

// Init makes the zero Context, which is part of a struct, one that [WithTimeout] returns.
func (c *Context) Init(parent context.Context, d time.Duration) {
	c.parent, c.deadline = parent, time.Now().Add(d)
}

// Cancel ends c. context.Cause then returns cause, or context.Canceled if it is nil. If
// c has ended before, Cancel has no effect.
func (c *Context) Cancel(cause error) {
	if c.Err() != nil {
		return
	}
	c.mu.Lock()
	stop := c.mu.stop
	if stop == nil && c.mu.ended == notEnded {
		c.mu.ended, c.mu.cause = byCancel, cause
	}
	c.mu.Unlock()
	if stop != nil {
		stop(cause)
	}
}

// Deadline returns the time at which c ends, if there is one.
func (c *Context) Deadline() (deadline time.Time, ok bool) {
	deadline, ok = c.parent.Deadline()
	if !c.deadline.IsZero() && (!ok || c.deadline.Before(deadline)) {
		return c.deadline, true
	}
	return deadline, ok
}

// Err returns why c has ended, or nil.
func (c *Context) Err() error {
	waiting, ended := c.state()
	if waiting == nil && ended == notEnded {
		switch {
		case c.parent.Err() != nil:
			ended = c.endBy(byParent)
		case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
			ended = c.endBy(byDeadline)
		}
	}
	switch ended {
	case byParent:
		return c.parent.Err()
	case byDeadline:
		return context.DeadlineExceeded
	case byCancel:
		return context.Canceled
	case notEnded:
	}
	if waiting != nil {
		return waiting.Err()
	}
	return nil
}

// Done returns a channel that is closed when c ends.
func (c *Context) Done() <-chan struct{} { return c.wait().Done() }

// Value returns the parent's value.
func (c *Context) Value(key any) any {
	waiting, ended := c.state()
	switch {
	case waiting != nil:
		return waiting.Value(key)
	case ended == notEnded:
		return c.parent.Value(key)
	}
	return c.wait().Value(key) // context.Cause may be looking for it
}

// state returns the context that is waited for, if it was made, or why c has ended.
func (c *Context) state() (waiting context.Context, ended how) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.waiting, c.mu.ended
}

// endBy notes that c has ended, unless it has before or is waited for. It returns why it
// has.
func (c *Context) endBy(why how) (ended how) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.ended == notEnded && c.mu.waiting == nil {
		c.mu.ended = why
	}
	return c.mu.ended
}

// wait returns the context of package context that ends as c does, which it makes if
// necessary.
func (c *Context) wait() context.Context {
	waiting, ended := c.state()
	if waiting != nil {
		return waiting
	}
	made, stop := c.make(ended) // may call methods of a program's context, so not under the lock
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.waiting != nil {
		stop(nil)
		return c.mu.waiting
	}
	if c.mu.ended != ended && c.mu.ended != byParent { // meanwhile
		stop(nil)
		made, stop = c.make(c.mu.ended)
	}
	if c.mu.ended == byCancel {
		stop(c.mu.cause)
	}
	c.mu.waiting, c.mu.stop = made, stop //nolint:fatcontext // it is set once
	return made
}

// make returns a context of package context that ends as c does, whatever the parent does
// after c has ended.
func (c *Context) make(ended how) (context.Context, context.CancelCauseFunc) {
	parent := c.parent
	if ended == byDeadline || ended == byCancel {
		parent = context.WithoutCancel(parent)
	}
	made, stop := context.WithCancelCause(parent)
	if c.deadline.IsZero() || ended == byCancel {
		return made, stop
	}
	made, release := context.WithDeadline(made, c.deadline)
	return made, func(cause error) {
		stop(cause)
		release()
	}
}
