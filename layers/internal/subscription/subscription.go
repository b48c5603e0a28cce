// Package subscription has a driver subscribe to the groups that have members in this
// process.
package subscription

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers/driver"
)

// Groups are those that a driver is to be subscribed to. Changes that come while a call
// of the driver is under way are made by the next call, in one round, so that a thousand
// joins at once are a handful of calls. All methods are safe for concurrent use. A nil
// *Groups is that of a driver that needs no subscriptions: no call is made.
type Groups struct {
	subscribe func(ctx context.Context, add, drop []string) error
	timeout   time.Duration // of each call

	mu struct {
		sync.Mutex
		asked  map[string]bool // the driver has been asked to add; false: and has failed
		wanted map[string]bool // what is to change: the last Want holds
		next   *Round          // that makes the driver do what is wanted
		done   chan struct{}   // closed when no round is under way; nil: none is
		closed bool
	}
}

// New returns Groups for a driver whose Subscribe is subscribe. The ctx of each call ends
// after timeout.
func New(subscribe func(ctx context.Context, add, drop []string) error, timeout time.Duration) *Groups {
	return &Groups{subscribe: subscribe, timeout: timeout}
}

// Round is one call of the driver, and its result. A nil Round needs no call: it has
// succeeded.
type Round struct {
	over chan struct{}
	err  error // valid once over is closed
}

// Result returns the driver's error, once it has answered.
func (r *Round) Result() (over bool, err error) {
	if r == nil {
		return true, nil
	}
	select {
	case <-r.over:
		return true, r.err
	default:
		return false, nil
	}
}

// Wait waits until the driver has answered or ctx is done, and returns the error of either.
func (r *Round) Wait(ctx context.Context) error {
	if over, err := r.Result(); over {
		return err
	}
	plumbing.WillWait(ctx)
	select {
	case <-r.over:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Want notes that group is to be subscribed, or no longer, and returns the round that will
// have the driver do so. It does not block.
func (g *Groups) Want(group string, subscribed bool) *Round {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.wanted == nil {
		g.mu.wanted = make(map[string]bool)
		g.mu.next = &Round{over: make(chan struct{})}
	}
	g.mu.wanted[group] = subscribed
	if g.mu.done == nil {
		g.mu.done = make(chan struct{})
		go g.makeRounds()
	}
	return g.mu.next
}

// makeRounds makes rounds until nothing is wanted.
func (g *Groups) makeRounds() {
	for {
		add, drop, r := g.startRound()
		if r == nil {
			return
		}
		if len(add)+len(drop) > 0 && r.err == nil {
			r.err = g.callDriver(add, drop)
		}
		g.endRound(add, r)
	}
}

// callDriver makes the call of a round.
func (g *Groups) callDriver(add, drop []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	defer cancel()
	err := g.subscribe(ctx, add, drop)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("wye: subscribing: the layer's back end has not answered within %v: %w", g.timeout, err)
	}
	return err
}

// startRound takes what is wanted. r is nil if nothing is. Whatever the driver will answer,
// it has been asked: one that is down remembers, and members whose join has failed leave
// again.
func (g *Groups) startRound() (add, drop []string, r *Round) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for group, wanted := range g.mu.wanted {
		succeeded, asked := g.mu.asked[group]
		switch {
		case wanted && !succeeded:
			add = append(add, group)
		case !wanted && asked:
			drop = append(drop, group)
		}
	}
	g.noteAskedLocked(add, drop)
	r = g.mu.next
	g.mu.wanted, g.mu.next = nil, nil
	if r == nil {
		close(g.mu.done)
		g.mu.done = nil
	} else if g.mu.closed {
		r.err = driver.ErrLayerClosed
	}
	slices.Sort(add)
	slices.Sort(drop)
	return add, drop, r
}

func (g *Groups) noteAskedLocked(add, drop []string) {
	if g.mu.asked == nil {
		g.mu.asked = make(map[string]bool)
	}
	for _, group := range add {
		g.mu.asked[group] = true
	}
	for _, group := range drop {
		delete(g.mu.asked, group)
	}
}

// endRound publishes the result of r. What the driver has failed to add is added again by
// the next Want, which may be of another member than the one that leaves now. A driver that
// is down remembers, but a caller that must know whether it is up again asks.
func (g *Groups) endRound(add []string, r *Round) {
	if r.err != nil {
		g.mu.Lock()
		for _, group := range add {
			g.mu.asked[group] = false
		}
		g.mu.Unlock()
	}
	close(r.over)
}

// Close has all rounds that have not started fail with driver.ErrLayerClosed, without a call.
func (g *Groups) Close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.closed = true
}

// WaitIdle waits until no round is under way or ctx is done.
func (g *Groups) WaitIdle(ctx context.Context) {
	if g == nil {
		return
	}
	g.mu.Lock()
	done := g.mu.done
	g.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}
