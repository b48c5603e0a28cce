package main

import (
	"container/list"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// Each shared resource has three limits: for one person, for one network address, and
// for all together. README.md has the table.

// The limits on connections in all rooms, on connections in one room, and on rooms.
var (
	// personSlots are for one cookie. A guest has one connection.
	personSlots = slotLimits{
		connections: 10, room: 10, rooms: 10,
		noConnection: errManyTabs, noSlot: errManyTabs, noRoom: errManyTabs,
	}
	// addressSlots are for one address: a home, a school, or a whole mobile network.
	addressSlots = slotLimits{
		connections: 200, room: 100, rooms: 50,
		noConnection: errManyNear, noSlot: errManyNearRoom, noRoom: errManyNearRooms,
	}
	// allSlots are for the whole chat.
	allSlots = slotLimits{
		connections: 10_000, room: 500, rooms: 1000,
		noConnection: errManyPeople, noSlot: errFullRoom, noRoom: errManyRooms,
	}
)

// The reasons for connections over a limit. A close frame has room for 123 bytes.
var (
	errManyTabs      = refuse("full", "You have this chat open 10 times. Close it somewhere else.")
	errManyNear      = refuse("full", "Many people from your network are here. Try again later.")
	errManyNearRoom  = refuse("full", "Many people from your network are in this room. Go to another, or try again later.")
	errManyNearRooms = refuse("full", "People from your network are in many rooms. Go to one of those, or try again later.")
	errManyPeople    = refuse("full", "There are too many people. Try again later.")
	errFullRoom      = refuse("full", "This room is full. Go to another, or try again later.")
	errManyRooms     = refuse("full", "There are too many rooms. Go to an existing one, or try again later.")
	errManyGuests    = refuse("full", "Many guests are connecting at the moment. Try again soon.")
	errApart         = refuse("full", "The chat is not complete at the moment. Try again soon.")
	errComesOften    = refuse("full", "You come and go very often. Try again in a minute.")
	errComeOften     = refuse("full", "Many people from your network are connecting at the moment. Try again soon.")
)

// A guest is a new person with each connection, so that only a limit for all guests
// helps.
const (
	guestsAtOnce    = 1000
	guestsPerSecond = 20
)

// limiter is a rate limit, and its name for other nodes.
type limiter struct {
	*rate.Limiter

	name limiterName
}

// limiterName says whose limit it is.
type limiterName struct {
	Of    string `json:"of"` // person, address or all
	Kind  string `json:"kind"`
	Owner string `json:"owner,omitempty"` // the ID or the address
}

// limit returns a limit of some tokens at once, and a number of tokens each second.
func (n limiterName) limit(kind string, atOnce int, perSecond rate.Limit) limiter {
	n.Kind = kind
	return limiter{rate.NewLimiter(perSecond, atOnce), n}
}

// personLimits are the limits of one person, for all connections of the person
// together.
type personLimits struct {
	slots

	says   limiter
	types  limiter // typing notices; more are dropped
	asks   limiter // requests of any kind; a client that sends more is broken
	enters limiter // connections
	pages  limiter // pages of older messages
}

func newPersonLimits(id string) *personLimits {
	of := limiterName{Of: "person", Owner: id}
	return &personLimits{
		slots:  slots{most: &personSlots},
		says:   of.limit("says", 5, 1),
		types:  of.limit("types", 2, 1),
		asks:   of.limit("asks", 100, 20),
		enters: of.limit("enters", 20, 1),
		pages:  of.limit("pages", 5, 1),
	}
}

// shared returns the rate limits that other nodes hear of: what asks bounds is a burden of
// this node alone.
func (p *personLimits) shared() []limiter { return []limiter{p.says, p.types, p.enters, p.pages} }

// addressLimits are the limits that the people at one address share.
type addressLimits struct {
	slots

	text   limiter // bytes of messages; each message costs messageBytes more
	types  limiter
	enters limiter
	pages  limiter
	tries  limiter // requests for a name, including refused ones
	names  limiter // names that are given
}

func newAddressLimits(from netip.Addr) *addressLimits {
	of := limiterName{Of: "address", Owner: from.String()}
	return &addressLimits{
		slots:  slots{most: &addressSlots},
		text:   of.limit("text", 1<<20, 64<<10),
		types:  of.limit("types", 100, 20),
		enters: of.limit("enters", 300, 10),
		pages:  of.limit("pages", 50, 5),
		tries:  of.limit("tries", 60, 1),
		names:  of.limit("names", 20, rate.Every(time.Minute)),
	}
}

func (n *addressLimits) shared() []limiter {
	return []limiter{n.text, n.types, n.enters, n.pages, n.tries, n.names}
}

// messageBytes is what a message costs besides its text.
const messageBytes = 1 << 10

const (
	// personTTL is how long a person without connections stays in the cache. By then
	// the limiters are full again.
	personTTL = 20 * time.Second
	// addressTTL is the same for an address.
	addressTTL = 20 * time.Minute
	// maxUnused is how many unused entries a cache keeps. The entry that has been
	// unused for longest is removed first.
	maxUnused = 10_000
)

// totalLimits are the limits that all share.
type totalLimits struct {
	slots

	guests limiter
	names  limiter
	pages  limiter
}

func newTotalLimits() totalLimits {
	of := limiterName{Of: "all"}
	return totalLimits{
		slots:  slots{most: &allSlots},
		guests: of.limit("guests", guestsAtOnce, guestsPerSecond),
		names:  of.limit("names", 50, 5),
		pages:  of.limit("pages", 200, 100),
	}
}

func (a *totalLimits) shared() []limiter { return []limiter{a.guests, a.names, a.pages} }

// address returns what counts as one address: an IPv4 address, or the /64 of an IPv6
// address, which is the least that one customer has. remote is the RemoteAddr of a
// request or a Scope. All strings that are not an address count as one.
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

// slotLimits are the largest counts of slots, with the reasons for connections over
// them.
type slotLimits struct {
	connections, room, rooms     int
	noConnection, noSlot, noRoom error
}

// slots counts connections by room.
type slots struct {
	most  *slotLimits
	count int
	in    map[string]int
}

// full returns the reason if there is no free slot in a room, and else nil.
func (p *slots) full(room string) error {
	switch {
	case p.count >= p.most.connections:
		return p.most.noConnection
	case p.in[room] >= p.most.room:
		return p.most.noSlot
	case p.in[room] == 0 && len(p.in) >= p.most.rooms:
		return p.most.noRoom
	}
	return nil
}

func (p *slots) enter(room string) {
	if p.in == nil {
		p.in = make(map[string]int)
	}
	p.count++
	p.in[room]++
}

func (p *slots) leave(room string) {
	p.count--
	p.in[room]--
	if p.in[room] == 0 {
		delete(p.in, room)
	}
}

// cost is a number of tokens of a limiter.
type cost struct {
	of limiter
	n  int
}

// reserve takes all the tokens or none. If tokens are missing, it returns how long to
// wait for them and the index of the limiter; wait 0 means that they are taken.
func reserve(costs ...cost) (wait time.Duration, which int) {
	now := time.Now()
	taken := make([]*rate.Reservation, 0, len(costs))
	for i, t := range costs {
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

// cache has a value for each key that is in use, and keeps it for ttl after that. It
// removes old entries when it is used, so that it needs no timer, and keeps at most
// maxUnused unused ones. It is not safe for concurrent use.
type cache[K comparable, V any] struct {
	create func(K) V
	ttl    time.Duration
	of     map[K]*cacheEntry[K, V]
	unused list.List // of *cacheEntry; the one that has been unused for longest is first
}

type cacheEntry[K comparable, V any] struct {
	key   K
	value V
	users int
	since time.Time     // the time of the last release
	place *list.Element // in unused; nil: the entry is in use
}

func newCache[K comparable, V any](ttl time.Duration, create func(K) V) *cache[K, V] {
	return &cache[K, V]{create: create, ttl: ttl, of: make(map[K]*cacheEntry[K, V])}
}

// use returns the value of a key, and creates it if necessary. The value is kept until
// release.
func (m *cache[K, V]) use(key K) V {
	m.evict()
	r := m.of[key]
	if r == nil {
		r = &cacheEntry[K, V]{key: key, value: m.create(key)}
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
func (m *cache[K, V]) release(key K) {
	r := m.of[key]
	r.users--
	if r.users == 0 {
		r.since = time.Now()
		r.place = m.unused.PushBack(r)
	}
	m.evict()
}

// evict removes entries that have been unused for longer than ttl, and those over
// maxUnused.
func (m *cache[K, V]) evict() {
	for e := m.unused.Front(); e != nil; e = m.unused.Front() {
		r := e.Value.(*cacheEntry[K, V]) //nolint:errcheck,forcetypeassert // nothing else is there
		if m.unused.Len() <= maxUnused && time.Since(r.since) < m.ttl {
			return
		}
		m.unused.Remove(e)
		delete(m.of, r.key)
	}
}
