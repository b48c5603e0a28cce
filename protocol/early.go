package protocol

import (
	"slices"

	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

// sendEarly has a message wait for the answer. done is false, and nothing has been done,
// if the connection has opened since; once it is over, err is how it closed.
func (s *Session) sendEarly(o outgoing) (done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch life := &s.mu.life; {
	case life.IsOver():
		return true, s.causeLocked()
	case life.State() == lifecycle.Open:
		return false, nil
	}
	conflated, ok := s.mu.opening.add(o, s.limits.QueueBytes)
	if !ok {
		return true, ErrQueueFull
	}
	if conflated {
		s.Conflated()
	}
	return true, nil
}

// add has a send wait for the answer, if there is room for it. conflated says that it
// has replaced one with its key.
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

// find returns the index of the send with that key, and of the last one behind it that
// has none; -1 if there is no such send.
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

// dequeueWaiting returns the sends that have waited, which wait no longer.
func (e *opening) dequeueWaiting() (waiting []outgoing) {
	waiting, e.waiting, e.queued = e.waiting, nil, 0
	return waiting
}
