package protocol

import (
	"context"

	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

// maxInline is how many callbacks that are due Receive runs on its caller's goroutine, after
// that of its own message, if the transport has a method Schedule.
const maxInline = 16

// Run runs up to limit of the callbacks that are due, or until none is due if limit is 0 or
// negative. Only the transport calls it, after Schedule. If it returns
// true, callbacks are still due, or may be: they wait for Run, which the transport must
// call again, after it has turned to its other connections. If Run returns false, nothing
// is due, and the transport calls Run when Schedule is called again.
//
// A callback that ends its goroutine (runtime.Goexit) ends Run's caller with it. The
// session then calls Schedule.
func (s *Session) Run(limit int) (more bool) {
	for done := 0; !s.exec.Finish(); done++ {
		if limit > 0 && done == limit {
			return true
		}
		if !s.runNext() {
			return false
		}
	}
	return false
}

// runInline runs callbacks that are due, in Receive. A transport that schedules has other
// connections to serve on this goroutine: more than maxInline are scheduled. The caller
// has claimed the executor.
func (s *Session) runInline() {
	if s.exec.Finish() {
		return
	}
	if _, ok := s.t.(scheduler); !ok {
		s.Run(0)
	} else if s.Run(maxInline) {
		s.schedule()
	}
}

// runNext does what is due next. It returns false if it has released the executor, or
// has passed it to the goroutines that Disconnect waits for.
func (s *Session) runNext() bool {
	s.mu.Lock()
	life := &s.mu.life
	if life.State() == lifecycle.Closing {
		// A callback that starts after the close must see that the connection's context
		// has ended. The goroutine that closes may not have canceled it yet.
		s.endContextLocked()
	}
	pending := lifecycle.Pending{Mail: s.hasMailLocked(), Goroutines: s.rare.Load().goroutines().hold(), Deferred: s.hasLateLocked()}
	switch life.Next(pending) {
	case lifecycle.HandOver:
		s.handOverUnlock()
	case lifecycle.AwaitGoroutines:
		s.awaitGoroutinesLocked()
		s.mu.Unlock()
		return false
	case lifecycle.Disconnect:
		life.Disconnected()
		s.rare.Load().finals().end()
		st := s.cause().CloseStatus
		s.mu.Unlock()
		s.disconnect(st)
	case lifecycle.RunDeferred:
		f := s.nextLateLocked()
		s.mu.Unlock()
		s.callDeferred(f)
	case lifecycle.Idle:
		s.exec.Release()
		s.mu.Unlock()
		return false
	}
	return true
}

// handOverUnlock hands over the oldest mailbox entry, or drops and counts it.
func (s *Session) handOverUnlock() {
	e := s.dequeueLocked()
	ctx := s.contextLocked(&e)
	resume := s.takeResumeLocked(s.pauseLocked())
	s.mu.Unlock()
	if resume != nil {
		resume()
	}
	switch {
	case ctx == nil:
		s.options().Counters.dropped(e.contents())
	case e.event != nil:
		s.handleEvent(e.event)
	case e.prepared != nil:
		s.sendQueued(e.prepared)
	default:
		m := e.message()
		s.handleMessage(ctx, &m)
	}
}

// contextLocked returns the ctx of the callback for e, or nil if e is dropped.
func (s *Session) contextLocked(e *entry) context.Context {
	switch s.mu.life.Delivery() {
	case lifecycle.DeliverAll:
		return s.context()
	case lifecycle.DeliverMessages:
		if e.isMessage() {
			if f := s.finalLocked(); f.admit() {
				return f.ctx
			}
		}
	case lifecycle.DeliverNothing:
	}
	return nil
}
