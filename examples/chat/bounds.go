package main

import (
	"container/list"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// Everything that many share is bounded three times: for one person, for one
// network address, and for all together. README.md has the table.

// The places: connections in all rooms, connections in one room, and rooms.
var (
	// personPlaces are those of one cookie. A guest has one connection.
	personPlaces = allowance{
		connections: 10, room: 10, rooms: 10,
		noConnection: errManyTabs, noPlace: errManyTabs, noRoom: errManyTabs,
	}
	// addressPlaces are those of one address: a home, a school, or a whole
	// mobile network.
	addressPlaces = allowance{
		connections: 200, room: 100, rooms: 50,
		noConnection: errManyNear, noPlace: errManyNearRoom, noRoom: errManyNearRooms,
	}
	// allPlaces are those of the chat.
	allPlaces = allowance{
		connections: 10_000, room: 500, rooms: 1000,
		noConnection: errManyPeople, noPlace: errFullRoom, noRoom: errManyRooms,
	}
)

// What is said to those who get no place. Close frames have room for 123 bytes.
var (
	errManyTabs      = refuse("full", "You have this chat open 10 times. Close it somewhere else.")
	errManyNear      = refuse("full", "Many people from your network are here. Try again later.")
	errManyNearRoom  = refuse("full", "Many people from your network are in this room. Go to another, or try again later.")
	errManyNearRooms = refuse("full", "People from your network are in many rooms. Go to one of those, or try again later.")
	errManyPeople    = refuse("full", "There are too many people. Try again later.")
	errFullRoom      = refuse("full", "This room is full. Go to another, or try again later.")
	errManyRooms     = refuse("full", "There are too many rooms. Go to one that is there, or try again later.")
	errManyGuests    = refuse("full", "Many guests come at the moment. Try again soon.")
	errComesOften    = refuse("full", "You come and go very often. Try again in a minute.")
	errComeOften     = refuse("full", "Many people come from your network at the moment. Try again soon.")
)

// Guests are somebody else each time they come.
const (
	guestsAtOnce    = 1000
	guestsPerSecond = 20
)

// pace is how fast one person may go, on all connections together.
type pace struct {
	places

	says   *rate.Limiter
	types  *rate.Limiter // is typing; more is not told
	asks   *rate.Limiter // anything; a client that goes beyond it is a bad program
	enters *rate.Limiter // connections
	pages  *rate.Limiter // of older lines
}

func newPace() *pace {
	return &pace{
		places: places{most: &personPlaces},
		says:   rate.NewLimiter(rate.Every(time.Second), 5),
		types:  rate.NewLimiter(rate.Every(time.Second), 2),
		asks:   rate.NewLimiter(rate.Every(time.Second/20), 100),
		enters: rate.NewLimiter(rate.Every(time.Second), 20),
		pages:  rate.NewLimiter(rate.Every(time.Second), 5),
	}
}

// nearby is how fast all people at one address may go together.
type nearby struct {
	places

	text   *rate.Limiter // bytes of what is said; each message costs messageBytes as well
	types  *rate.Limiter
	enters *rate.Limiter
	pages  *rate.Limiter
	tries  *rate.Limiter // requests for a name, also those that are refused
	names  *rate.Limiter // names that are given
}

// messageBytes is what a message costs beside its text.
const messageBytes = 1 << 10

func newNearby() *nearby {
	return &nearby{
		places: places{most: &addressPlaces},
		text:   rate.NewLimiter(64<<10, 1<<20),
		types:  rate.NewLimiter(20, 100),
		enters: rate.NewLimiter(10, 300),
		pages:  rate.NewLimiter(5, 50),
		tries:  rate.NewLimiter(1, 60),
		names:  rate.NewLimiter(rate.Every(time.Minute), 20),
	}
}

const (
	// rest is how long a person who has left is remembered. The limiters are
	// full again then.
	rest = 20 * time.Second
	// restOfAddress is rest for an address.
	restOfAddress = 20 * time.Minute
	// remembered is how many of those who have left are remembered at the most.
	// The one who left first is forgotten first.
	remembered = 10_000
)

// everybody is how fast all may go together.
type everybody struct {
	places

	guests *rate.Limiter
	names  *rate.Limiter
	pages  *rate.Limiter
}

func newEverybody() everybody {
	return everybody{
		places: places{most: &allPlaces},
		guests: rate.NewLimiter(guestsPerSecond, guestsAtOnce),
		names:  rate.NewLimiter(5, 50),
		pages:  rate.NewLimiter(100, 200),
	}
}

// address is what is counted as one address: an IPv4 address, or a /64 of IPv6,
// which is what one customer has at the least. remote is RemoteAddr of a request or
// a Scope. What is no address counts as one.
func address(remote string) netip.Addr {
	one, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := one.Addr().Unmap().WithZone("")
	if addr.Is6() {
		net, _ := addr.Prefix(64) //nolint:errcheck // 64 fits
		return net.Addr()
	}
	return addr
}

// allowance is how many places there are, and what those are told who get none.
type allowance struct {
	connections, room, rooms      int
	noConnection, noPlace, noRoom error
}

// places counts connections by room.
type places struct {
	most  *allowance
	count int
	in    map[string]int
}

// full says why there is no place in a room, or returns nil.
func (p *places) full(room string) error {
	switch {
	case p.count >= p.most.connections:
		return p.most.noConnection
	case p.in[room] >= p.most.room:
		return p.most.noPlace
	case p.in[room] == 0 && len(p.in) >= p.most.rooms:
		return p.most.noRoom
	}
	return nil
}

func (p *places) take(room string) {
	if p.in == nil {
		p.in = make(map[string]int)
	}
	p.count++
	p.in[room]++
}

func (p *places) leave(room string) {
	p.count--
	p.in[room]--
	if p.in[room] == 0 {
		delete(p.in, room)
	}
}

// toll is a number of tokens that something costs.
type toll struct {
	of *rate.Limiter
	n  int
}

// pay takes all the tokens, or none. It returns how long it is until there are
// enough, and which toll they are missing for; 0 means that they are taken.
func pay(tolls ...toll) (wait time.Duration, which int) {
	now := time.Now()
	taken := make([]*rate.Reservation, 0, len(tolls))
	for i, t := range tolls {
		r := t.of.ReserveN(now, t.n)
		taken = append(taken, r)
		if wait := r.DelayFrom(now); wait > 0 {
			for _, r := range taken {
				r.CancelAt(now)
			}
			return wait, i
		}
	}
	return 0, 0
}

// memory has a value for each key that is in use, and for some time after. What has
// not been used for so long is forgotten when other keys come, so that it needs no
// timer, and no more than `remembered` of those are kept. It is not safe for
// concurrent use.
type memory[K comparable, V any] struct {
	create func() V
	rest   time.Duration
	of     map[K]*remembrance[K, V]
	unused list.List // of *remembrance; those that have not been used for longest first
}

type remembrance[K comparable, V any] struct {
	key   K
	value V
	users int
	since time.Time     // when the last user released it
	place *list.Element // in unused; nil: it is in use
}

func newMemory[K comparable, V any](rest time.Duration, create func() V) *memory[K, V] {
	return &memory[K, V]{create: create, rest: rest, of: make(map[K]*remembrance[K, V])}
}

// use returns the value of a key, which is kept until release.
func (m *memory[K, V]) use(key K) V {
	m.forget()
	r := m.of[key]
	if r == nil {
		r = &remembrance[K, V]{key: key, value: m.create()}
		m.of[key] = r
	}
	if r.place != nil {
		m.unused.Remove(r.place)
		r.place = nil
	}
	r.users++
	return r.value
}

// release ends one use of a key.
func (m *memory[K, V]) release(key K) {
	r := m.of[key]
	r.users--
	if r.users == 0 {
		r.since = time.Now()
		r.place = m.unused.PushBack(r)
	}
	m.forget()
}

// forget forgets what has not been used for long, and what is too much.
func (m *memory[K, V]) forget() {
	for e := m.unused.Front(); e != nil; e = m.unused.Front() {
		r := e.Value.(*remembrance[K, V]) //nolint:errcheck,forcetypeassert // nothing else is there
		if m.unused.Len() <= remembered && time.Since(r.since) < m.rest {
			return
		}
		m.unused.Remove(e)
		delete(m.of, r.key)
	}
}
