package layers

import (
	"context"
	"sync"
	"time"

	"github.com/wye-go/wye/protocol"
)

const (
	// laneEvents is how many events of one lane may wait to be handed on.
	laneEvents = 256
	// lanePatience is how long somebody waits for room. It ends, because who
	// waits may be what the members that are slow wait for.
	lanePatience = time.Second
)

// lane hands on the events of one group, one after the other, in the order in
// which they were put, and with no lock held meanwhile. Whoever puts an event into
// an idle lane hands it on himself; what others put in meanwhile a goroutine does,
// which ends when nothing is left. The zero value is ready for use.
type lane struct {
	sync.Mutex // also of what the lane's owner keeps

	waiting []*protocol.Event
	running bool          // somebody hands on
	room    chan struct{} // closed when there is room again; nil if nobody waits
}

// enter locks the lane as soon as it has room. If it returns an error, which is
// ctx's or ErrBehind, it has not.
func (a *lane) enter(ctx context.Context) error {
	a.Lock()
	if len(a.waiting) < laneEvents {
		return nil
	}
	late := time.NewTimer(lanePatience)
	defer late.Stop()
	for len(a.waiting) >= laneEvents {
		if a.room == nil {
			a.room = make(chan struct{})
		}
		room := a.room
		a.Unlock()
		select {
		case <-room:
		case <-late.C:
			return ErrBehind
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		a.Lock()
	}
	return nil
}

// put adds events and unlocks the lane, which must be locked. Then it hands on, if
// nobody does. done, if not nil, is called each time when nothing is left.
func (a *lane) put(events []*protocol.Event, hand func(*protocol.Event), done func()) {
	a.waiting = append(a.waiting, events...)
	mine := !a.running && len(events) > 0
	a.running = a.running || mine
	a.Unlock()
	if !mine {
		return
	}
	defer a.pass(hand, done) // also if a member panics
	for range events {
		if e := a.take(); e != nil {
			hand(e)
		}
	}
}

// pass has a goroutine do what is left.
func (a *lane) pass(hand func(*protocol.Event), done func()) {
	a.Lock()
	a.running = len(a.waiting) > 0
	left := a.running
	a.Unlock()
	switch {
	case left:
		go a.run(hand, done)
	case done != nil:
		done()
	}
}

func (a *lane) run(hand func(*protocol.Event), done func()) {
	for e := a.take(); e != nil; e = a.take() {
		hand(e)
	}
	a.pass(hand, done)
}

// take takes the next event, nil if there is none.
func (a *lane) take() *protocol.Event {
	a.Lock()
	defer a.Unlock()
	if len(a.waiting) == 0 {
		return nil
	}
	e := a.waiting[0]
	a.waiting[0] = nil
	a.waiting = a.waiting[1:]
	if len(a.waiting) == 0 {
		a.waiting = nil
	}
	if a.room != nil {
		close(a.room)
		a.room = nil
	}
	return e
}

// idle reports whether nothing waits and nobody hands on. The lane must be locked.
func (a *lane) idle() bool { return !a.running && len(a.waiting) == 0 }
