package protocol

import (
	"context"
	"slices"
	"time"
)

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
