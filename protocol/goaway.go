package protocol

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// ShutdownOptions say how a server closes its connections and refuses new ones when
// it shuts down. The zero value is ready for use.
type ShutdownOptions struct {
	// Code closes the open connections. Default CloseGoingAway (1001), which
	// is also taken for a code that is not Sendable. CloseServiceRestart
	// (1012) says that the server comes back.
	Code CloseCode
	// Reason is sent with Code. Default "the server is shutting down", and if
	// RetryAfter is set "; reconnect after 12 s" behind it, with a number for
	// each connection.
	Reason string
	// RetryAfter is how long peers should wait before they connect again. Each
	// is told a number of seconds between that and twice that, chosen at
	// random, so that not all come back at once: in the Retry-After header of
	// the 503 that refuses new connections, and in the default Reason.
	// Default 5 s, in the header only.
	RetryAfter time.Duration
}

const (
	defaultRetryAfter = 5 * time.Second
	shuttingDown      = "the server is shutting down"
)

// Refusal returns the answer to a handshake that comes while the server shuts down:
// 503 with Retry-After.
func (o ShutdownOptions) Refusal() *RejectError {
	after := o.RetryAfter
	if after <= 0 {
		after = defaultRetryAfter
	}
	return Rejection(RejectAndRetry(http.StatusServiceUnavailable, shuttingDown, after))
}

// status closes one connection.
func (o ShutdownOptions) status() CloseStatus {
	s := CloseStatus{Code: o.Code, Reason: o.Reason, Err: &shutdownError{o}}
	if !s.Code.Sendable() {
		s.Code = CloseGoingAway
	}
	if s.Reason == "" {
		s.Reason = shuttingDown
		if o.RetryAfter > 0 {
			s.Reason += fmt.Sprintf("; reconnect after %d s", spread(o.RetryAfter))
		}
	}
	return s
}

// shutdownError is why a shutdown closed a connection. One that was not accepted
// yet is refused as new ones are, whatever the code.
type shutdownError struct{ options ShutdownOptions }

func (*shutdownError) Error() string { return "wye: " + shuttingDown }

// GoAway is the work of a [Protocol]'s Shutdown, once it refuses new connections:
// it closes conns as o says and returns when over is closed, which is for the
// protocol to do when nothing is left, or, with ctx's cause, when ctx ends.
//
// The closes are spread over up to three quarters of the time until ctx's
// deadline, so that not everybody comes back at once; a thousand take two seconds
// at the most. Those whose turn has not come when ctx ends are left as they are.
func GoAway(ctx context.Context, conns []*Conn, over <-chan struct{}, o ShutdownOptions) error {
	for batch := range slices.Chunk(conns, batchSize(ctx, len(conns))) {
		for _, c := range batch {
			c.s.closeSession(o.status(), true, nil)
		}
		if !pause(ctx, over) {
			break
		}
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// The pace of closing: a batch at least so large every so often.
const (
	pauseBetween = 10 * time.Millisecond
	leastBatch   = 5
)

// batchSize is how many of n connections are closed at a time.
func batchSize(ctx context.Context, n int) int {
	size := leastBatch
	if until, ok := ctx.Deadline(); ok {
		rounds := int(time.Until(until) / 4 * 3 / pauseBetween)
		size = max(size, n/max(rounds, 1)+1)
	}
	return size
}

// pause waits between two batches. It reports whether there is a next one.
func pause(ctx context.Context, over <-chan struct{}) bool {
	t := time.NewTimer(pauseBetween)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-over:
	case <-ctx.Done():
	}
	return false
}
