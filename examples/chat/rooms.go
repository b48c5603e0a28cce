package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// rooms counts the connections of each room, person and address, and holds their rate
// limits.
type rooms struct {
	all    totalLimits // mu guards its slots
	shared *spending   // with other nodes; nil: there are none

	mu        sync.Mutex
	people    *cache[string, *personLimits] // by Person.ID
	addresses *cache[netip.Addr, *addressLimits]
}

func newRooms() *rooms {
	return &rooms{
		all:       newTotalLimits(),
		people:    newCache(personTTL, newPersonLimits),
		addresses: newCache(addressTTL, newAddressLimits),
	}
}

// usage is what one connection of a person to a room uses of the limits, until leave.
type usage struct {
	rooms  *rooms
	room   string
	id     string
	from   netip.Addr
	person *personLimits
	near   *addressLimits
}

// enter counts a connection to a room, or returns why the limits do not allow it.
func (r *rooms) enter(room, id string, from netip.Addr) (*usage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := &usage{rooms: r, room: room, id: id, from: from, person: r.people.use(id), near: r.addresses.use(from)}
	if err := u.admit(); err != nil {
		u.release()
		return nil, err
	}
	for _, p := range u.slots() {
		p.enter(room)
	}
	return u, nil
}

// slots returns the counters of the person, of the address and of all. The caller holds
// rooms.mu.
func (u *usage) slots() [3]*slots {
	return [...]*slots{&u.person.slots, &u.near.slots, &u.rooms.all.slots}
}

// admit checks all limits and takes the tokens of the rate limits. The caller holds
// rooms.mu.
func (u *usage) admit() error {
	for _, p := range u.slots() {
		if err := p.full(u.room); err != nil {
			return err
		}
	}
	costs := []cost{{u.person.enters, 1}, {u.near.enters, 1}}
	if strings.HasPrefix(u.id, guest) {
		costs = append(costs, cost{u.rooms.all.guests, 1})
	}
	if wait, which := u.rooms.reserve(costs...); wait > 0 {
		return [...]*refused{errComesOften, errComeOften, errManyGuests}[which]
	}
	return nil
}

// release lets the cache forget the person and the address. The caller holds rooms.mu.
func (u *usage) release() {
	u.rooms.people.release(u.id)
	u.rooms.addresses.release(u.from)
}

// leave removes the connection from the counts.
func (u *usage) leave() {
	u.rooms.mu.Lock()
	defer u.rooms.mu.Unlock()
	for _, p := range u.slots() {
		p.leave(u.room)
	}
	u.release()
}

// allowRequest reports whether the person may send one more request of any kind now.
func (u *usage) allowRequest() bool { return u.person.asks.Allow() }

// allowTyping reports whether the others may be told that the person is typing.
func (u *usage) allowTyping() bool {
	wait, _ := u.rooms.reserve(cost{u.person.types, 1}, cost{u.near.types, 1})
	return wait == 0
}

// allowMessage returns nil if the person may send text now, and else when to send it
// again.
func (u *usage) allowMessage(text string) error {
	wait, which := u.rooms.reserve(cost{u.person.says, 1}, cost{u.near.text, len(text) + messageBytes})
	switch {
	case wait == 0:
		return nil
	case which == 0:
		return slow("slow", "Slow down, please: say that again in %v.", wait)
	default:
		return slow("crowd", "People from your network have sent a lot: send that again in %v.", wait)
	}
}

// allowPage returns nil if the person may read a page of older messages, and else when
// to ask again.
func (u *usage) allowPage() error {
	wait, which := u.rooms.reserve(cost{u.person.pages, 1}, cost{u.near.pages, 1}, cost{u.rooms.all.pages, 1})
	switch {
	case wait == 0:
		return nil
	case which == 0:
		return slow("pages", "You are reading too fast: ask for older messages again in %v.", wait)
	default:
		return slow("pages", "Many people are reading older messages: ask for them again in %v.", wait)
	}
}

// reserve takes all the tokens or none, as the function does, and tells the other nodes.
func (r *rooms) reserve(costs ...cost) (wait time.Duration, which int) {
	wait, which = reserve(costs...)
	if wait == 0 && r.shared != nil {
		r.shared.add(costs)
	}
	return wait, which
}

// open returns the rooms that have connections to this node.
func (r *rooms) open() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.all.in))
}

// useAddress returns the limits that the people at an address share. The caller
// calls release when it is done with them.
func (r *rooms) useAddress(from netip.Addr) (n *addressLimits, release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addresses.use(from), func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.addresses.release(from)
	}
}

// slow returns a refusal to try again after wait. text has one verb, for the wait.
func slow(reason, text string, wait time.Duration) *refused {
	no := refuse(reason, fmt.Sprintf(text, max(wait.Round(time.Second), time.Second)))
	no.Retry = wait.Milliseconds() + 1
	return no
}
