package protocol

import (
	"context"
	"errors"
)

// trySend sends a shared message without applying Limits.Overflow. If done is true, the
// caller must not apply it either.
func (s *Session) trySend(p *Prepared) (done bool, err error) {
	if !s.isOpen() {
		if done, err := s.sendEarly(outgoing{prepared: p}); done {
			return true, err
		}
	}
	return false, s.t.SendPrepared(p)
}

// transmit has the transport queue a message.
func (s *Session) transmit(o outgoing) error {
	if o.prepared != nil {
		return s.t.SendPrepared(o.prepared)
	}
	return s.t.Send(o.msg)
}

// sendError returns the error of a send whose transport has returned err: the cause of the
// close if the connection has closed, and otherwise err.
func (s *Session) sendError(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.life.IsOver() {
		return s.causeLocked()
	}
	return err
}

// overflowNow handles a send for which the transport has returned err, and returns the
// error of the send. It applies the policy, but never waits.
func (s *Session) overflowNow(err error, o outgoing) error {
	if !errors.Is(err, ErrQueueFull) || !s.isOpen() {
		return s.sendError(err)
	}
	return s.applyOverflow(o)
}

// overflow handles a send for which the transport has returned err, and returns the error
// of the send. Under OverflowBlock it waits for room.
func (s *Session) overflow(ctx context.Context, err error, o outgoing) error {
	if s.limits().Overflow != OverflowBlock || !s.isOpen() {
		return s.overflowNow(err, o)
	}
	for errors.Is(err, ErrQueueFull) {
		room := s.awaitRoom()
		if err = s.transmit(o); !errors.Is(err, ErrQueueFull) {
			break
		}
		s.willWait()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.context().Done():
			return s.sendError(ErrClosed)
		}
	}
	return s.sendError(err)
}

// awaitRoom returns a channel that is closed when the transport has drained.
func (s *Session) awaitRoom() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rarity()
	if r.room == nil {
		r.room = make(chan struct{})
	}
	return r.room
}

// applyOverflow applies the policy to a message that does not fit.
func (s *Session) applyOverflow(o outgoing) error {
	switch s.limits().Overflow {
	case OverflowDropOldest:
		if err := s.dropOldest(o); !errors.Is(err, ErrQueueFull) {
			return s.sendError(err)
		}
		fallthrough
	case OverflowDropNewest:
		s.options().Counters.messages.dropped.Add(1)
		return ErrDropped
	case OverflowClose, OverflowBlock:
	}
	s.options().Counters.messages.dropped.Add(1)
	s.closeSession(CloseStatus{Code: CloseTryAgainLater, Reason: "reading too slowly", Err: errSlow}, true, nil)
	return ErrSlow
}

// dropOldest makes room for a message and sends it. It returns ErrQueueFull if there is
// nothing to drop.
func (s *Session) dropOldest(o outgoing) error {
	d, ok := s.t.(dropper)
	if !ok {
		return ErrQueueFull
	}
	for {
		dropped := d.DropOldest(o.size() - messageOverhead)
		s.options().Counters.messages.dropped.Add(int64(dropped))
		err := s.transmit(o)
		if dropped == 0 || !errors.Is(err, ErrQueueFull) { // others may have taken the room
			return err
		}
	}
}

// sendQueued sends a message that has waited behind events. Its sender knows that it was
// queued, so that a failure is only counted.
func (s *Session) sendQueued(p *Prepared) {
	early, err := s.trySend(p)
	switch {
	case err == nil:
	case !early && errors.Is(err, ErrQueueFull) && s.isOpen():
		_ = s.applyOverflow(outgoing{prepared: p}) //nolint:errcheck // see above
	default:
		s.options().Counters.messages.dropped.Add(1)
	}
}
