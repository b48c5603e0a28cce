package layers

import (
	"context"
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
		told    map[string]struct{} // the driver has been told of
		wanted  map[string]bool     // that is to change; the last word counts
		next    *round              // that tells what is wanted
		leading bool
	}
	busy sync.WaitGroup
}

// round is one call of the driver, and what came of it.
type round struct {
	done chan struct{}
	err  error // valid once done is closed
}

// wait waits for the round to be over.
func (r *round) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	default:
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
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
	if !s.mu.leading {
		s.mu.leading = true
		s.busy.Go(s.lead)
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
		if len(add)+len(drop) > 0 {
			r.err = s.driver.Subscribe(context.Background(), add, drop)
		}
		close(r.done)
	}
}

// begin takes what is wanted. Whatever the driver will say, it has been told: one
// that is down remembers, and those whose join has failed leave again.
func (s *subscriptions) begin() (add, drop []string, r *round) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for group, wanted := range s.mu.wanted {
		_, told := s.mu.told[group]
		switch {
		case wanted && !told:
			add = append(add, group)
		case !wanted && told:
			drop = append(drop, group)
		}
	}
	s.note(add, drop)
	r = s.mu.next
	s.mu.wanted, s.mu.next = nil, nil
	s.mu.leading = r != nil
	slices.Sort(add)
	slices.Sort(drop)
	return add, drop, r
}

func (s *subscriptions) note(add, drop []string) {
	if s.mu.told == nil {
		s.mu.told = make(map[string]struct{})
	}
	for _, group := range add {
		s.mu.told[group] = struct{}{}
	}
	for _, group := range drop {
		delete(s.mu.told, group)
	}
}

// wait waits until the driver has been told everything.
func (s *subscriptions) wait() { s.busy.Wait() }
