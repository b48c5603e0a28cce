package plumbing

import "context"

// Waiter is a transport that is told before a callback waits, for example to have other
// connections served by another goroutine meanwhile.
type Waiter interface {
	// WillWait is called before the caller waits.
	WillWait()
}

// Worker is a transport that is told before a callback works for long without waiting.
type Worker interface {
	// WillWork is called before the caller works.
	WillWork()
}

// WaiterKey is the key under which the context of callbacks has the Waiter.
type WaiterKey struct{}

// WillWait tells the transport of the connection whose context ctx is, or is derived from,
// that the caller is about to wait. Any function of this module calls it that waits, or
// calls a driver that may. For other contexts, and transports that are not Waiters, it does
// nothing.
func WillWait(ctx context.Context) {
	if w, ok := ctx.Value(WaiterKey{}).(Waiter); ok {
		w.WillWait()
	}
}

// WillWork is WillWait for a caller that does not wait, but is about to work for long, such
// as a send to a large group. Transports that are Waiters and not Workers are not told.
func WillWork(ctx context.Context) {
	if w, ok := ctx.Value(WaiterKey{}).(Worker); ok {
		w.WillWork()
	}
}
