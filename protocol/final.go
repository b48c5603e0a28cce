package protocol

import (
	"context"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

func newFinal(of context.Context) *final {
	f := &final{}
	f.ctx, f.cancel = context.WithTimeout(context.WithoutCancel(of), plumbing.FinalTime)
	return f
}

// admit reports whether one more callback may start, and counts it.
func (f *final) admit() bool {
	if f.ctx.Err() != nil || f.handed == plumbing.FinalMessages {
		return false
	}
	f.handed++
	return true
}

// end ends the ctx of the callbacks. f may be nil: then there have been none.
func (f *final) end() {
	if f != nil {
		f.cancel()
	}
}

// expired reports whether the ctx has ended.
func (f *final) expired() bool { return f != nil && f.ctx.Err() != nil }

// finalLocked returns the bound of the final callbacks. Their time starts with the first
// call.
func (s *Session) finalLocked() *final {
	r := s.rarity()
	if r.final == nil {
		r.final = newFinal(s.context())
	}
	return r.final
}

// finalContext is Conn.FinalContext.
func (s *Session) finalContext() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.life.Delivery() == lifecycle.DeliverMessages && !s.rare.Load().goroutines().isAwaited() {
		return s.finalLocked().ctx
	}
	return s.context()
}
