package admission

import (
	"context"
	"slices"
	"time"

	"github.com/wye-go/wye/protocol"
)

// CloseAll closes conns with the code and reason of o. It is for the Shutdown of a
// [protocol.Protocol], which has to refuse new connections first. CloseAll returns nil when
// over is closed, or ctx's cause when ctx is done. The protocol closes over when no
// connection is left.
//
// The closes are spread over up to three quarters of the time until ctx's deadline, so
// that not all peers connect again at once; a thousand closes take two seconds at most. If
// ctx ends before, the other connections stay open.
func CloseAll(ctx context.Context, conns []*protocol.Conn, over <-chan struct{}, o ShutdownOptions) error {
	for batch := range slices.Chunk(conns, batchSize(ctx, len(conns))) {
		for _, c := range batch {
			c.CloseWith(&protocol.CloseError{CloseStatus: o.status()})
		}
		if !awaitNextBatch(ctx, over) {
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

// The pace of closing: one batch of minBatch connections or more per batchInterval.
const (
	batchInterval = 10 * time.Millisecond
	minBatch      = 5
)

// batchSize returns how many of n connections are closed at a time.
func batchSize(ctx context.Context, n int) int {
	size := minBatch
	if until, ok := ctx.Deadline(); ok {
		rounds := int(time.Until(until) / 4 * 3 / batchInterval)
		size = max(size, n/max(rounds, 1)+1)
	}
	return size
}

// awaitNextBatch waits between two batches. It reports whether there is a next one.
func awaitNextBatch(ctx context.Context, over <-chan struct{}) bool {
	t := time.NewTimer(batchInterval)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-over:
	case <-ctx.Done():
	}
	return false
}
