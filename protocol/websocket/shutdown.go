package websocket

import (
	"context"
	"fmt"
)

// Shutdown calls ShutdownWith with Options.Shutdown.
func (s *Server) Shutdown(ctx context.Context) error { return s.ShutdownWith(ctx, s.opts.Shutdown) }

// ShutdownWith refuses new connections with 503 and Retry-After, closes the open
// ones as o says, and returns when all of them are closed and their Disconnect has
// returned. The closes are spread over up to three quarters of the time until ctx's
// deadline, so that not all peers connect again at once; a thousand closes take two seconds
// at most. If ctx ends first, the remaining connections are cut, and the error says how
// many; their Disconnect may still be running. Later calls wait as well; their o changes
// only the refusal of new connections.
func (s *Server) ShutdownWith(ctx context.Context, o ShutdownOptions) error {
	cause := s.gate.Shutdown(ctx, o)
	if cause == nil {
		return nil
	}
	left := s.gate.Stats().Conns
	s.engine.CutAll(cause)
	if left == 0 {
		return nil
	}
	return fmt.Errorf("wye: shutdown: %d connections had to be cut: %w", left, cause)
}
