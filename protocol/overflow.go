package protocol

import (
	"context"
	"errors"
	"slices"
)

// sendEarly is a send while the fast path is shut: the message waits for the
// answer, or the connection is over. done is false if it has opened since, and
// nothing has been done.
func (s *Session) sendEarly(o outgoing) (done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch life := &s.mu.life; {
	case life.over():
		return true, s.causeLocked()
	case life.state == stateOpen:
		return false, nil
	}
	early := s.openingLocked()
	conflated, ok := early.add(o, s.limits.QueueBytes)
	if !ok {
		return true, ErrFull
	}
	if conflated {
		s.Conflated()
	}
	return true, nil
}

// add has a send wait for the answer, if there is room for it. conflated says
// that it has replaced one with its key.
func (e *opening) add(o outgoing, limit int) (conflated, ok bool) {
	old, fence := e.find(o.key())
	queued := e.queued
	if old >= 0 {
		queued -= e.waiting[old].size()
	}
	if queued > 0 && queued+o.size() > limit {
		return false, false
	}
	o.msg = o.msg.Clone()
	if o.prepared != nil {
		o.prepared.keep()
	}
	e.queued = queued + o.size()
	switch {
	case old < 0:
		e.waiting = append(e.waiting, o)
	case fence < old:
		e.waiting[old] = o
	default:
		e.waiting = append(slices.Delete(e.waiting, old, old+1), o)
	}
	return old >= 0, true
}

// find returns the place of the send with that key, and of the last one behind it
// that has none; -1 if there is no such send.
func (e *opening) find(key string) (at, fence int) {
	fence = -1
	if key == "" {
		return -1, fence
	}
	for at = len(e.waiting) - 1; at >= 0; at-- {
		switch e.waiting[at].key() {
		case key:
			return at, fence
		case "":
			fence = max(fence, at)
		}
	}
	return -1, fence
}

// trySend is a send of a shared message that applies no policy. done says that
// none is to be applied.
func (s *Session) trySend(p *Prepared) (done bool, err error) {
	if !s.isOpen() {
		if done, err := s.sendEarly(outgoing{prepared: p}); done {
			return true, err
		}
	}
	return false, s.t.SendPrepared(p)
}

// sent makes a transport's error the sender's, who is told how the connection
// has ended.
func (s *Session) sent(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.life.over() {
		return s.causeLocked()
	}
	return err
}

// refused is what becomes of a send that the transport did not take and that
// must not wait.
func (s *Session) refused(err error, o outgoing) error {
	if !errors.Is(err, ErrFull) || !s.isOpen() {
		return s.sent(err)
	}
	return s.full(o)
}

// overflow is what becomes of a direct send that the transport did not take.
func (s *Session) overflow(ctx context.Context, err error, o outgoing) error {
	if s.limits.Overflow != OverflowBlock || !s.isOpen() {
		return s.refused(err, o)
	}
	for errors.Is(err, ErrFull) {
		room := s.awaitRoom()
		if err = s.transmit(o); !errors.Is(err, ErrFull) {
			break
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ctx.Done():
			return s.sent(ErrClosed)
		}
	}
	return s.sent(err)
}

// awaitRoom returns a channel that is closed when the transport has drained.
func (s *Session) awaitRoom() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.room == nil {
		s.mu.room = make(chan struct{})
	}
	return s.mu.room
}

// full applies the policy to one message that does not fit.
func (s *Session) full(o outgoing) error {
	switch s.limits.Overflow {
	case OverflowDropOldest:
		if err := s.dropOldest(o); !errors.Is(err, ErrFull) {
			return s.sent(err)
		}
		fallthrough
	case OverflowDropNewest:
		s.shared.Counters.messages.dropped.Add(1)
		return ErrDropped
	case OverflowClose, OverflowBlock:
	}
	s.shared.Counters.messages.dropped.Add(1)
	s.end(CloseStatus{Code: CloseTryAgainLater, Reason: "reading too slowly", Err: errSlow}, true)
	return ErrSlow
}

// dropOldest makes room for a message and sends it. ErrFull means that there is
// nothing to drop.
func (s *Session) dropOldest(o outgoing) error {
	d, ok := s.t.(Dropper)
	if !ok {
		return ErrFull
	}
	for {
		dropped := d.DropOldest(o.size() - messageOverhead)
		s.shared.Counters.messages.dropped.Add(int64(dropped))
		err := s.transmit(o)
		if dropped == 0 || !errors.Is(err, ErrFull) { // others may have taken the room
			return err
		}
	}
}
