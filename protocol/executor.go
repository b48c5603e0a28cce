package protocol

import (
	"context"

	"github.com/wye-go/wye/protocol/internal/executor"
	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

// runCallbacks runs what is due, and releases the executor. The caller has claimed it.
func (s *Session) runCallbacks() {
	for more := true; more; {
		more = !s.exec.Finish() && s.runNext()
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
		s.cancel(s.mu.cause)
	}
	pending := lifecycle.Pending{Mail: !s.mu.mail.empty(), Goroutines: s.mu.tasks.hold(), Deferred: len(s.mu.deferred) > 0}
	switch life.Next(pending) {
	case lifecycle.HandOver:
		s.handOverUnlock()
	case lifecycle.AwaitGoroutines:
		s.awaitGoroutinesLocked()
		s.mu.Unlock()
		return false
	case lifecycle.Disconnect:
		life.Disconnected()
		s.mu.final.end()
		st := s.mu.cause.CloseStatus
		s.mu.Unlock()
		s.disconnect(st)
	case lifecycle.RunDeferred:
		last := len(s.mu.deferred) - 1
		f := s.mu.deferred[last]
		s.mu.deferred = s.mu.deferred[:last]
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
	if s.mu.mail.events == 0 {
		s.exec.Put(executor.Ordered, false) // none waits, and none is being handled
	}
	e := s.mu.mail.dequeue()
	ctx := s.contextLocked(&e)
	s.mailShrunkLocked()
	resume := s.takeResumeLocked(s.pauseLocked())
	s.mu.Unlock()
	if resume != nil {
		resume()
	}
	switch {
	case ctx == nil:
		s.shared.Counters.dropped(e.contents())
	case e.event != nil:
		s.handleEvent(e.event)
	case e.prepared != nil:
		s.sendQueued(e.prepared)
	default:
		s.handleMessage(ctx, e.message())
	}
}

// contextLocked returns the ctx of the callback for e, or nil if e is dropped.
func (s *Session) contextLocked(e *entry) context.Context {
	switch s.mu.life.Delivery() {
	case lifecycle.DeliverAll:
		return s.ctx
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

// deferred is Conn.Defer.
func (s *Session) deferred(f func()) {
	s.mu.Lock()
	over := s.mu.life.IsSettled() && !s.exec.IsRunning()
	if !over {
		s.mu.deferred = append(s.mu.deferred, f)
	}
	s.mu.Unlock()
	if over {
		s.callLate(f)
	}
}
