package protocol

import (
	"github.com/wye-go/wye/internal/conflate"
	"github.com/wye-go/wye/protocol/internal/lifecycle"
)

// sendEarly queues a message that is sent behind the answer to the handshake. done is
// false, and nothing has been done, if the connection is open by now; if it has closed, err
// says how.
func (s *Session) sendEarly(o outgoing) (done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch life := &s.mu.life; {
	case life.IsOver():
		return true, s.causeLocked()
	case life.State() == lifecycle.Open:
		return false, nil
	}
	conflated, ok := s.mu.opening.add(o, s.limits().QueueBytes)
	if !ok {
		return true, ErrQueueFull
	}
	if conflated {
		s.Conflated()
	}
	return true, nil
}

// add queues a send until the answer, if there is room for it. conflated reports whether it
// has replaced one with the same key.
func (o *opening) add(m outgoing, limit int) (conflated, ok bool) {
	queued := o.queued
	if old := o.waiting.Find(m.key()); old != nil {
		queued -= old.size()
	}
	if queued > 0 && queued+m.size() > limit {
		return false, false
	}
	m.msg = m.msg.Clone()
	if m.prepared != nil {
		m.prepared.keep()
	}
	o.queued = queued + m.size()
	_, conflated = o.waiting.Add(m.key(), m)
	return conflated, true
}

// dequeueWaiting removes the queued sends and returns them.
func (o *opening) dequeueWaiting() (waiting conflate.Queue[outgoing]) {
	waiting, o.waiting, o.queued = o.waiting, conflate.Queue[outgoing]{}, 0
	return waiting
}
