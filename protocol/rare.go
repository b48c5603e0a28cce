package protocol

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol/internal/backlog"
	"github.com/wye-go/wye/protocol/internal/executor"
)

// rare is what most connections never need. The first need of any part makes it, and then
// it stays.
type rare struct {
	queueGauge backlog.Gauge           // of the transport's outgoing queue; guarded by the lock of that queue
	holding    atomic.Pointer[account] // nil while little is held; written with the lock of the read budget

	// The rest is guarded by Session.mu.

	mailGauge   backlog.Gauge  // of the mailbox
	pace        *pace          // nil without Limits.Rate; stays the same from the answer on
	in          executor.Tally // messages that were handed over, if the executor's count was full
	resume      func()         // lets a transport that has stopped reading read on, or a Deliver try again
	deliverTurn chan struct{}  // has room for the Deliver whose turn it is; made by the first
	room        chan struct{}  // closed by Drained; nil while no send waits
	final       *final         // once messages are handed over after the peer's close
	tasks       *goroutines    // of Conn.Go, while there are any
	ender       plumbing.Ender // of plumbing.NotifyEnded, or nil
}

// goroutines counts the functions of Conn.Go that have not returned.
type goroutines struct {
	running   int
	abandoned bool        // Disconnect no longer waits for them
	wait      *time.Timer // while Disconnect waits for them, and only then
}

// isAwaited reports whether Disconnect waits for the goroutines. Then messages are no longer
// handed over.
func (g *goroutines) isAwaited() bool { return g != nil && g.wait != nil }

// final bounds the callbacks for messages that the peer sent before it closed.
type final struct {
	ctx    context.Context //nolint:containedctx // shared by these callbacks
	cancel context.CancelFunc
	handed int
}

// rarity returns what is rarely needed. It makes it if necessary.
func (s *Session) rarity() *rare {
	if s.rare.Load() == nil {
		s.rare.CompareAndSwap(nil, new(rare))
	}
	return s.rare.Load()
}

// goroutines returns those of Conn.Go, or nil. r may be nil, here and below.
func (r *rare) goroutines() *goroutines {
	if r == nil {
		return nil
	}
	return r.tasks
}

// finals returns the bound of the final callbacks, or nil.
func (r *rare) finals() *final {
	if r == nil {
		return nil
	}
	return r.final
}

// takeResume removes and returns the function of Resume, or returns nil.
func (r *rare) takeResume() (resume func()) {
	if r != nil {
		resume, r.resume = r.resume, nil
	}
	return resume
}

// paceOrNil returns the measure of the peer's rate, or nil if the rate is not bounded.
func (r *rare) paceOrNil() *pace {
	if r == nil {
		return nil
	}
	return r.pace
}
