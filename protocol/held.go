package protocol

import (
	"log/slog"
	"sync/atomic"
)

// Hold tells how many bytes of incomplete messages the transport keeps in memory for this
// connection, and of what it has read beyond. It costs nothing as long as that is little.
// When it is too much for the [ReadBudget], a connection is closed, which may be this one.
func (s *Session) Hold(n int) { s.hold(heldIncomplete, n) }

func (s *Session) hold(kind, n int) {
	b := s.shared.Reads
	if b == nil || n <= freeRead && s.holding.Load() == nil {
		return
	}
	for _, h := range b.set(s, kind, n) {
		go h.evict() // it takes the session's lock, and the caller may have one
	}
}

// account implements holder.
func (s *Session) account() *atomic.Pointer[account] { return &s.holding }

// evict closes a connection that has held messages for too long. It implements holder.
func (s *Session) evict() {
	st := CloseStatus{Code: CloseTryAgainLater, Reason: "message not completed in time", Err: errHeld}
	if s.closeSession(st, true, nil).IsFirst() {
		s.log(slog.LevelWarn, "wye: the read budget was used up; the connection that had held messages the longest was closed with 1013",
			[]any{"bytes", s.shared.Reads.limit()})
	}
}
