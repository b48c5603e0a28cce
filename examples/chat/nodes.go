package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// What several nodes of the chat need besides a database and a layer that they share. With
// one node, nothing here runs.

const (
	// spentGroup is the group of the nodes. No room has a period in its name.
	spentGroup = "chat.spent"
	// spentEvery is how often a node tells the others which tokens its clients have taken.
	spentEvery = 100 * time.Millisecond
	// recheckEvery is how often a node looks for messages that it was not told of.
	recheckEvery = 2 * time.Second
	// refreshAfter is how long after an outage of the layer the members read again who is
	// here: until then, other nodes may not have entered their people again.
	refreshAfter = 20 * time.Second
)

// nodes is the part of this node in what all nodes do together.
type nodes struct {
	spending *spending
	recheck  *recheck // nil: the database is not shared
}

// share starts what several nodes need.
func (c *chat) share(ctx context.Context) error {
	c.nodes = &nodes{spending: newSpending(c.rooms, c.layer)}
	c.rooms.shared = c.nodes.spending
	if p, is := c.store.database.(*postgres); is {
		c.nodes.recheck = startRecheck(c, p)
	}
	return joined(c.layer.Join(ctx, spentGroup, c.nodes.spending))
}

// unshare stops it again.
func (c *chat) unshare() {
	if c.nodes == nil {
		return
	}
	c.layer.Leave(spentGroup, c.nodes.spending)
	c.nodes.spending.stop()
	if c.nodes.recheck != nil {
		c.nodes.recheck.stop()
	}
}

// joined returns nil if a Join has succeeded, also if that takes until the layer is up.
func joined(err error) error {
	if errors.Is(err, layers.ErrDown) {
		return nil
	}
	return err
}

// Spent says which tokens of rate limits the clients of another node have taken.
var Spent = consumer.EventType[spent]{Name: "chat.spent"}

type spent struct {
	Tokens []tokens `json:"tokens"`
}

// tokens is a number of tokens of one limiter.
type tokens struct {
	limiterName

	N int `json:"n"`
}

// spending tells the other nodes which tokens were taken here, and takes here what was
// taken there. So a rate holds for all nodes together, though several nodes may each give
// a burst before they hear of the others'. It is a member of spentGroup.
type spending struct {
	rooms *rooms
	layer *layers.Layer

	mu struct {
		sync.Mutex
		taken   map[limiterName]int // since the last event
		refresh *time.Timer         // nil: the layer was not down
		stopped bool
	}
	sending sync.WaitGroup
}

func newSpending(r *rooms, l *layers.Layer) *spending {
	s := &spending{rooms: r, layer: l}
	s.mu.taken = make(map[limiterName]int)
	return s
}

// add notes what was taken here. The first of some costs starts the timer of the event.
func (s *spending) add(costs []cost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.taken) == 0 && !s.mu.stopped {
		s.sending.Add(1)
		time.AfterFunc(spentEvery, s.send)
	}
	for _, c := range costs {
		s.mu.taken[c.of.name] += c.n
	}
}

func (s *spending) send() {
	defer s.sending.Done()
	s.mu.Lock()
	taken := s.mu.taken
	s.mu.taken = make(map[limiterName]int)
	s.mu.Unlock()
	all := make([]tokens, 0, len(taken))
	for name, n := range taken {
		all = append(all, tokens{name, n})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// While the layer is down, each node limits its own clients.
	_ = s.layer.GroupSendExcept(ctx, spentGroup, Spent.New(spent{all}), s) //nolint:errcheck // see above
}

// stop waits for the event that is being sent.
func (s *spending) stop() {
	s.mu.Lock()
	s.mu.stopped = true
	if s.mu.refresh != nil {
		s.mu.refresh.Stop()
	}
	s.mu.Unlock()
	s.sending.Wait()
}

// Deliver implements layers.Member.
func (s *spending) Deliver(e *consumer.Event) (yield bool) {
	switch e.Type() {
	case Spent.Name:
		if there, err := Spent.Payload(e); err == nil {
			s.rooms.take(there.Tokens)
		}
	case consumer.Gap.Name:
		s.refreshLater()
	}
	return false
}

// Watches implements layers.Watcher.
func (s *spending) Watches(typ string) bool { return typ == consumer.Gap.Name }

// Refresh has the members on one node read again who is here.
var Refresh = consumer.EventType[refresh]{Name: "chat.refresh"}

type refresh struct {
	Node string `json:"node"`
}

// refreshLater starts the time until the members on this node read again who is here.
func (s *spending) refreshLater() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.stopped:
	case s.mu.refresh == nil:
		s.mu.refresh = time.AfterFunc(refreshAfter, s.refresh)
	default:
		s.mu.refresh.Reset(refreshAfter)
	}
}

func (s *spending) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, room := range s.rooms.open() {
		// Members on this node get it in any case.
		_ = s.layer.GroupSend(ctx, room, Refresh.New(refresh{s.layer.Node()})) //nolint:errcheck // see above
	}
}

// Offer implements layers.Member. No one broadcasts to the nodes.
func (s *spending) Offer(*consumer.Prepared) (yield bool) { return false }

// take takes tokens that were taken on another node, also if there are none left.
func (r *rooms) take(all []tokens) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, t := range all {
		for _, l := range r.limitersLocked(t.limiterName) {
			if l.name == t.limiterName {
				for n := t.N; n > 0; n -= l.Burst() {
					l.ReserveN(now, min(n, l.Burst()))
				}
			}
		}
	}
}

// limitersLocked returns the limiters of the owner of one.
func (r *rooms) limitersLocked(name limiterName) []limiter {
	switch name.Of {
	case "person":
		defer r.people.release(name.Owner)
		return r.people.use(name.Owner).shared()
	case "address":
		from, _ := netip.ParseAddr(name.Owner) //nolint:errcheck // no address is one, too: see address
		defer r.addresses.release(from)
		return r.addresses.use(from).shared()
	default:
		return r.all.shared()
	}
}

// countAll counts the connection for all nodes together, or returns why the limits do not
// allow it. The connection becomes present in a group of the person, of the address and of
// all: the key is the room, so that a group has as many keys as rooms. If the node dies,
// the layer counts its connections until their lease ends.
func (u *usage) countAll(ctx context.Context, c *consumer.Conn) error {
	l, near := c.Layer(), countGroup("address", u.from.String())
	for group, most := range map[string]*slotLimits{
		countGroup("person", u.id): &personSlots, near: &addressSlots, countGroup("all", ""): &allSlots,
	} {
		if err := c.Enter(ctx, group, u.room, nil); err != nil {
			return err
		}
		switch count, err := l.CountPresent(ctx, group); {
		case err != nil:
			return err
		case count.Presences > most.connections:
			return most.noConnection
		case count.Keys > most.rooms:
			return most.noRoom
		}
	}
	switch here, err := l.PresentKey(ctx, near, u.room); {
	case err != nil:
		return err
	case len(here) > addressSlots.room:
		return addressSlots.noSlot
	}
	switch count, err := l.CountPresent(ctx, u.room); {
	case err != nil:
		return err
	case count.Presences >= allSlots.room: // without this connection
		return allSlots.noSlot
	}
	return nil
}

// countGroup returns a group whose presences are connections. An ID or an address may have
// characters that the name of a group must not have.
func countGroup(of, owner string) string {
	return fmt.Sprintf("chat.%s.%x", of, sha256.Sum224([]byte(owner)))
}

// recheck looks in the database for messages that the members on this node were not told
// of: the node that has stored them could not reach this one, or died before it told
// anyone.
type recheck struct {
	chat     *chat
	database *postgres
	quit     context.CancelFunc
	done     chan struct{}

	mu   sync.Mutex
	told map[string]int64 // by room: the highest position of an event
}

func startRecheck(c *chat, p *postgres) *recheck {
	ctx, cancel := context.WithCancel(context.Background())
	r := &recheck{chat: c, database: p, quit: cancel, done: make(chan struct{}), told: make(map[string]int64)}
	go r.run(ctx)
	return r
}

func (r *recheck) stop() {
	r.quit()
	<-r.done
}

// note notes that the members of a room are told of a message.
func (r *recheck) note(room string, seq int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told[room] = max(r.told[room], seq)
}

// note is the method of recheck, if there is one.
func (c *chat) note(room string, seq int64) {
	if c.nodes != nil && c.nodes.recheck != nil {
		c.nodes.recheck.note(room, seq)
	}
}

func (r *recheck) run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	var before map[string]int64
	for {
		select {
		case <-tick.C:
			before = r.check(ctx, before)
		case <-ctx.Done():
			return
		}
	}
}

// check sends the last message of each room that the last check has seen too, and that no
// event was about since. Members that miss others before it read them. It returns the
// last positions of the open rooms.
func (r *recheck) check(ctx context.Context, before map[string]int64) (last map[string]int64) {
	last, err := r.database.last(ctx, r.chat.store.reads, r.chat.rooms.open())
	if err != nil {
		return before // the members that need the database report it
	}
	for _, room := range r.missed(last, before) {
		p, err := r.chat.store.message(ctx, room, last[room])
		if err != nil {
			continue
		}
		r.note(room, last[room])
		if p != nil {
			r.chat.publish(room, *p)
		}
	}
	return last
}

// missed returns the rooms whose last message of the check before was not told.
func (r *recheck) missed(last, before map[string]int64) (rooms []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.told, func(room string, _ int64) bool { _, open := last[room]; return !open })
	for room := range last {
		if before[room] > r.told[room] {
			rooms = append(rooms, room)
		}
	}
	return rooms
}
