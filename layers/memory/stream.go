package memory

import (
	"context"
	"sync"
	"time"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

const (
	// maxWaiting is how many events of one stream may wait for delivery.
	maxWaiting = 256
	// maxWait is how long a caller waits for room. It is bounded, because the slow
	// members may be waiting for this caller.
	maxWait = time.Second
)

// stream delivers the events of one group one after the other, in the order in which they
// were added, and with no lock held meanwhile. The caller that adds an event to an idle
// stream delivers it itself; what other callers add meanwhile is delivered by a goroutine,
// which ends when nothing is left. The zero value is ready for use.
type stream struct {
	sync.Mutex // also guards what the stream's owner keeps

	waiting    []*protocol.Event
	delivering bool
	room       chan struct{} // closed when there is room again; nil if no caller waits
}

// lockWithRoom locks the stream as soon as it has room. After an error, which is ctx's or
// driver.ErrBehind, it is not locked.
func (s *stream) lockWithRoom(ctx context.Context) error {
	s.Lock()
	if len(s.waiting) < maxWaiting {
		return nil
	}
	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	for len(s.waiting) >= maxWaiting {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.Unlock()
		select {
		case <-room:
		case <-timeout.C:
			return driver.ErrBehind
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		s.Lock()
	}
	return nil
}

// addAndUnlock adds events and unlocks the stream, which must be locked. Then it delivers
// them, unless another goroutine is delivering. idle, if not nil, is called when nothing
// is left.
func (s *stream) addAndUnlock(events []*protocol.Event, deliver func(*protocol.Event), idle func()) {
	s.waiting = append(s.waiting, events...)
	mine := !s.delivering && len(events) > 0
	s.delivering = s.delivering || mine
	s.Unlock()
	if !mine {
		return
	}
	defer s.handOver(deliver, idle) // also if a member panics
	for range events {
		if e := s.next(); e != nil {
			deliver(e)
		}
	}
}

// handOver has a goroutine deliver what is left.
func (s *stream) handOver(deliver func(*protocol.Event), idle func()) {
	s.Lock()
	s.delivering = len(s.waiting) > 0
	left := s.delivering
	s.Unlock()
	switch {
	case left:
		go s.deliverAll(deliver, idle)
	case idle != nil:
		idle()
	}
}

func (s *stream) deliverAll(deliver func(*protocol.Event), idle func()) {
	for e := s.next(); e != nil; e = s.next() {
		deliver(e)
	}
	s.handOver(deliver, idle)
}

// next removes and returns the first event, nil if there is none.
func (s *stream) next() *protocol.Event {
	s.Lock()
	defer s.Unlock()
	if len(s.waiting) == 0 {
		return nil
	}
	e := s.waiting[0]
	s.waiting[0] = nil
	s.waiting = s.waiting[1:]
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
	return e
}

// isIdle reports whether no event waits or is being delivered. The stream must be locked.
func (s *stream) isIdle() bool { return !s.delivering && len(s.waiting) == 0 }
