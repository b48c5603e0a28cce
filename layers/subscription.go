package layers

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// subscriptions tells a driver which groups have members here. Changes that come
// while the driver is busy with others are told together, in one round, so that a
// thousand joins at once are a handful of calls.
type subscriptions struct {
	driver Driver
	mu     struct {
		sync.Mutex
		told   map[string]bool // the driver has been told of; false: and has failed
		wanted map[string]bool // that is to change; the last word counts
		next   *round          // that tells what is wanted
		leader chan struct{}   // closed when nobody leads any more; nil: nobody does
		closed bool
	}
}

// round is one call of the driver, and what came of it.
type round struct {
	done chan struct{}
	err  error // valid once done is closed
}

// isOver reports whether the driver has answered.
func (r *round) isOver() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// wait waits for the round to be over.
func (r *round) wait(ctx context.Context) error {
	if r.isOver() {
		return r.err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// isDown reports whether the driver was down. r may be nil.
func (r *round) isDown() bool {
	if r == nil {
		return false
	}
	select {
	case <-r.done:
		return errors.Is(r.err, ErrDown)
	default:
		return false
	}
}

// want notes that group is to be subscribed, or not any more, and returns the
// round that will tell the driver. It does not block.
func (s *subscriptions) want(group string, subscribed bool) *round {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.wanted == nil {
		s.mu.wanted = make(map[string]bool)
		s.mu.next = &round{done: make(chan struct{})}
	}
	s.mu.wanted[group] = subscribed
	if s.mu.leader == nil {
		s.mu.leader = make(chan struct{})
		go s.lead()
	}
	return s.mu.next
}

// lead makes rounds until nothing is wanted.
func (s *subscriptions) lead() {
	for {
		add, drop, r := s.begin()
		if r == nil {
			return
		}
		if len(add)+len(drop) > 0 && r.err == nil {
			r.err = s.driver.Subscribe(context.Background(), add, drop)
		}
		s.end(add, r)
	}
}

// begin takes what is wanted. Whatever the driver will say, it has been told: one
// that is down remembers, and those whose join has failed leave again.
func (s *subscriptions) begin() (add, drop []string, r *round) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for group, wanted := range s.mu.wanted {
		sure, told := s.mu.told[group]
		switch {
		case wanted && !sure:
			add = append(add, group)
		case !wanted && told:
			drop = append(drop, group)
		}
	}
	s.note(add, drop)
	r = s.mu.next
	s.mu.wanted, s.mu.next = nil, nil
	if r == nil {
		close(s.mu.leader)
		s.mu.leader = nil
	} else if s.mu.closed {
		r.err = ErrClosed
	}
	slices.Sort(add)
	slices.Sort(drop)
	return add, drop, r
}

func (s *subscriptions) note(add, drop []string) {
	if s.mu.told == nil {
		s.mu.told = make(map[string]bool)
	}
	for _, group := range add {
		s.mu.told[group] = true
	}
	for _, group := range drop {
		delete(s.mu.told, group)
	}
}

// end tells all who wait for r. What the driver has failed to add is asked for
// again by the next who wants it: those who do so now may not be those who leave. One
// that is down remembers, but whoever must know whether it is up again asks.
func (s *subscriptions) end(add []string, r *round) {
	if r.err != nil {
		s.mu.Lock()
		for _, group := range add {
			s.mu.told[group] = false
		}
		s.mu.Unlock()
	}
	close(r.done)
}

// close has all rounds that have not begun fail, without the driver.
func (s *subscriptions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
}

// wait waits until no round is under way.
func (s *subscriptions) wait(ctx context.Context) {
	s.mu.Lock()
	leader := s.mu.leader
	s.mu.Unlock()
	if leader == nil {
		return
	}
	select {
	case <-leader:
	case <-ctx.Done():
	}
}
