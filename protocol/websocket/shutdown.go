package websocket

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wye-go/wye/protocol"
)

func (c *conn) goAway() {
	c.session.Conn().Close(protocol.CloseGoingAway, "the server is shutting down")
}

// Shutdown refuses new connections with 503, says 1001 to the open ones, and
// returns when all of them are closed and their Disconnect has returned. The
// closes are spread over up to three quarters of the time until ctx's deadline,
// so that not everybody comes back at once; a thousand take two seconds at the
// most. When ctx ends first, the connections that are left are cut, and the
// error says how many; their Disconnect may still be running. Later calls wait
// as well.
func (s *Server) Shutdown(ctx context.Context) error {
	empty, conns := s.startShutdown()
	for batch := range slices.Chunk(conns, batchSize(ctx, len(conns))) {
		for _, c := range batch {
			c.goAway()
		}
		if !pause(ctx, empty) {
			break
		}
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	return s.cutAll(context.Cause(ctx))
}

// startShutdown refuses new connections, and returns those there are.
func (s *Server) startShutdown() (empty <-chan struct{}, conns []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closing = true
	if s.mu.conns.n == 0 {
		done := make(chan struct{})
		close(done)
		return done, nil
	}
	if s.mu.empty == nil {
		s.mu.empty = make(chan struct{})
	}
	return s.mu.empty, s.mu.conns.all()
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
func pause(ctx context.Context, empty <-chan struct{}) bool {
	t := time.NewTimer(pauseBetween)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-empty:
	case <-ctx.Done():
	}
	return false
}

// cutAll closes the sockets of all connections.
func (s *Server) cutAll(cause error) error {
	s.mu.Lock()
	conns := s.mu.conns.all()
	s.mu.Unlock()
	for _, c := range conns {
		if c.parts.Load()&partSocket != 0 {
			c.broke(cause)
		}
	}
	if len(conns) == 0 {
		return nil
	}
	return fmt.Errorf("wye: shutdown: %d connections had to be cut: %w", len(conns), cause)
}
