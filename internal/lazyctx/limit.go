package lazyctx

import (
	"context"
	"sync/atomic"
	"time"
)

// Limit limits the time of many short calls. Calls whose context never ends, and that start soon
// after each other, share one timer, because a timer of its own costs a call a microsecond. The
// zero value is not valid. All methods are safe for concurrent use.
type Limit struct {
	timeout time.Duration
	latest  atomic.Pointer[shared]
}

// shared is the context of the calls that start before until.
type shared struct {
	context.Context //nolint:containedctx // calls get it

	cancel context.CancelFunc
	until  time.Time
}

// shares is how many parts of the timeout there are. The calls of one part share a timer, so that
// the time of a call is the timeout or less, by one part at most.
const shares = 64

// NewLimit returns a Limit that ends calls after timeout at the latest.
func NewLimit(timeout time.Duration) *Limit { return &Limit{timeout: timeout} }

// Context returns a context for a call that starts now. It ends with parent, or when the time of
// the call is over. The caller has to call release when the call has returned.
func (l *Limit) Context(parent context.Context) (ctx context.Context, release context.CancelFunc) {
	if parent.Done() != nil {
		return context.WithTimeout(parent, l.timeout)
	}
	s := l.sharedNow()
	if parent == context.Background() {
		return s.Context, releaseShared
	}
	return &sharedContext{s.Context, parent}, releaseShared
}

func releaseShared() {} // others use it

func (l *Limit) sharedNow() *shared {
	now := time.Now()
	s := l.latest.Load()
	if s != nil && now.Before(s.until) {
		return s
	}
	next := &shared{until: now.Add(l.timeout / shares)}
	next.Context, next.cancel = context.WithTimeout(context.Background(), l.timeout)
	if !l.latest.CompareAndSwap(s, next) {
		next.cancel() // another call has made one
		return l.latest.Load()
	}
	return next
}

// sharedContext is a shared context with the values of a parent that never ends.
type sharedContext struct {
	context.Context //nolint:containedctx // the shared one

	values context.Context //nolint:containedctx // the parent
}

// Value returns the parent's value. The shared context has none but those by which package
// context knows it.
func (c *sharedContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}
