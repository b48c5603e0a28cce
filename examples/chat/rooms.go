package main

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// rooms counts who is where, and how much each has had of what all share.
type rooms struct {
	all everybody // its places are guarded by mu

	mu        sync.Mutex
	people    *memory[string, *pace] // by ID
	addresses *memory[netip.Addr, *nearby]
}

func newRooms() *rooms {
	return &rooms{
		all:       newEverybody(),
		people:    newMemory[string](rest, newPace),
		addresses: newMemory[netip.Addr](restOfAddress, newNearby),
	}
}

// stay is one connection of a person to a room, until leave.
type stay struct {
	rooms  *rooms
	room   string
	id     string
	from   netip.Addr
	person *pace
	near   *nearby
}

// enter counts a connection to a room, or says why there is no place for it.
func (r *rooms) enter(room, id string, from netip.Addr) (*stay, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &stay{rooms: r, room: room, id: id, from: from, person: r.people.use(id), near: r.addresses.use(from)}
	if err := v.admit(); err != nil {
		v.release()
		return nil, err
	}
	for _, p := range v.places() {
		p.take(room)
	}
	return v, nil
}

// places are those that the connection needs. rooms.mu is held.
func (v *stay) places() [3]*places {
	return [...]*places{&v.person.places, &v.near.places, &v.rooms.all.places}
}

// admit says why the connection cannot be, or pays for it. rooms.mu is held.
func (v *stay) admit() error {
	for _, p := range v.places() {
		if err := p.full(v.room); err != nil {
			return err
		}
	}
	tolls := []toll{{v.person.enters, 1}, {v.near.enters, 1}}
	if strings.HasPrefix(v.id, guest) {
		tolls = append(tolls, toll{v.rooms.all.guests, 1})
	}
	if wait, which := pay(tolls...); wait > 0 {
		return [...]*refused{errComesOften, errComeOften, errManyGuests}[which]
	}
	return nil
}

// release gives back what enter has used. rooms.mu is held.
func (v *stay) release() {
	v.rooms.people.release(v.id)
	v.rooms.addresses.release(v.from)
}

// leave ends the stay.
func (v *stay) leave() {
	v.rooms.mu.Lock()
	defer v.rooms.mu.Unlock()
	for _, p := range v.places() {
		p.leave(v.room)
	}
	v.release()
}

// asks allows one more request now, of whatever kind.
func (v *stay) asks() bool { return v.person.asks.Allow() }

// types allows the others to be told that the person is typing.
func (v *stay) types() bool {
	wait, _ := pay(toll{v.person.types, 1}, toll{v.near.types, 1})
	return wait == 0
}

// says allows one more message, or says when to try again.
func (v *stay) says(text string) error {
	wait, which := pay(toll{v.person.says, 1}, toll{v.near.text, len(text) + messageBytes})
	switch {
	case wait == 0:
		return nil
	case which == 0:
		return slow("slow", "Slow down, please: say that again in %v.", wait)
	default:
		return slow("crowd", "Much is said by people from your network: say that again in %v.", wait)
	}
}

// pages allows one more page of older lines, or says when to ask again.
func (v *stay) pages() error {
	wait, which := pay(toll{v.person.pages, 1}, toll{v.near.pages, 1}, toll{v.rooms.all.pages, 1})
	switch {
	case wait == 0:
		return nil
	case which == 0:
		return slow("pages", "You read fast: ask for older lines again in %v.", wait)
	default:
		return slow("pages", "Many people read older lines: ask for them again in %v.", wait)
	}
}

// near returns how fast the people at an address may go, until release is called.
func (r *rooms) near(from netip.Addr) (n *nearby, release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addresses.use(from), func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.addresses.release(from)
	}
}

// slow refuses something for now. text has a verb for how long to wait.
func slow(reason, text string, wait time.Duration) *refused {
	no := refuse(reason, fmt.Sprintf(text, max(wait.Round(time.Second), time.Second)))
	no.Retry = wait.Milliseconds() + 1
	return no
}
