package main

import (
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxRooms  = 1000   // that somebody is in
	maxInRoom = 500    // connections
	maxPeople = 10_000 // connections, in all rooms
)

// Guests are somebody else each time they come, so that nothing else stops one who
// comes all the time.
const (
	guestsAtOnce    = 1000
	guestsPerSecond = 20
)

var (
	errManyGuests = errors.New("many guests come at the moment; try again soon")
	errFullRoom   = errors.New("this room is full; go to another, or try again later")
	errManyRooms  = errors.New("there are too many rooms; go to one that is there, or try again later")
	errManyPeople = errors.New("there are too many people; try again later")
)

// rooms counts who is where.
type rooms struct {
	mu     sync.Mutex
	people int
	in     map[string]int   // connections by room
	by     map[string]*pace // by person
	guests *rate.Limiter
}

func newRooms() *rooms {
	return &rooms{
		in: make(map[string]int), by: make(map[string]*pace),
		guests: rate.NewLimiter(guestsPerSecond, guestsAtOnce),
	}
}

// enter counts a connection of a person to a room, until leave.
func (r *rooms) enter(room, id string) (*pace, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.people >= maxPeople:
		return nil, errManyPeople
	case r.in[room] >= maxInRoom:
		return nil, errFullRoom
	case r.in[room] == 0 && len(r.in) >= maxRooms:
		return nil, errManyRooms
	case strings.HasPrefix(id, guest) && !r.guests.Allow():
		return nil, errManyGuests
	}
	p := r.by[id]
	if p == nil {
		p = newPace()
		r.by[id] = p
	}
	r.people++
	r.in[room]++
	p.connections++
	return p, nil
}

func (r *rooms) leave(room, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.people--
	r.in[room]--
	if r.in[room] == 0 {
		delete(r.in, room)
	}
	p := r.by[id]
	p.connections--
	if p.connections == 0 { // who comes back at once goes on at his pace
		p.left = time.Now()
		time.AfterFunc(rest, func() { r.forget(id, p) })
	}
}

// forget forgets somebody who has not come back, not even to leave again.
func (r *rooms) forget(id string, p *pace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.connections == 0 && r.by[id] == p && time.Since(p.left) >= rest {
		delete(r.by, id)
	}
}
