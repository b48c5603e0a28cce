package fanout

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// hub is what is compared.
type hub struct {
	member func() (member, error) // a new one, in no group
	join   func(group string, m member) error
	leave  func(group string, m member)
	sends  map[string]func(group string) error // by what is sent
}

// make1 makes a hub, which ends with tb.
type make1 struct {
	name string
	make func(tb testing.TB) *hub
}

func hubs() []make1 {
	return []make1{
		{"wye", newWye},
		{"map", newPlain},
		{"centrifuge", newCentrifuge},
	}
}

// What is sent.
const (
	anEvent   = "event"     // made, encoded and sent
	sealed    = "sealed"    // an event that was encoded before: the hub alone
	broadcast = "broadcast" // bytes for the peers
)

// member counts what is delivered to it. Senders do so at once, hence atomically.
type member interface {
	layers.Member

	count() int64
}

type counter struct{ n atomic.Int64 }

// Deliver counts an event.
func (c *counter) Deliver(*protocol.Event) bool { c.n.Add(1); return false }

// Offer counts a message.
func (c *counter) Offer(*protocol.Prepared) bool { c.n.Add(1); return false }

func (c *counter) count() int64 { return c.n.Load() }

func newCounter() (member, error) { return &counter{}, nil }

// line is the payload of events, and in what is broadcast.
type line struct {
	Text string `json:"text"`
}

const said = "The quick brown fox jumps over the lazy dog, twice."

func event() *protocol.Event { return protocol.EventType[line]{Name: "line"}.New(line{said}) }

func newWye(testing.TB) *hub {
	l, ctx := new(layers.Layer), context.Background()
	once, message := event(), protocol.Text(said)
	return &hub{
		member: newCounter,
		join:   func(group string, m member) error { return l.Join(ctx, group, m) },
		leave:  func(group string, m member) { l.Leave(group, m) },
		sends: map[string]func(string) error{
			anEvent:   func(group string) error { return l.GroupSend(ctx, group, event()) },
			sealed:    func(group string) error { return l.GroupSend(ctx, group, once) },
			broadcast: func(group string) error { return l.Broadcast(ctx, group, message) },
		},
	}
}

// plain is what one writes who needs no more. It delivers with its lock held.
type plain struct {
	sync.Mutex

	groups map[string]map[layers.Member]struct{}
}

func newPlain(testing.TB) *hub {
	p := &plain{groups: map[string]map[layers.Member]struct{}{}}
	once, message := event(), protocol.Text(said)
	return &hub{
		member: newCounter,
		join:   func(group string, m member) error { p.join(group, m); return nil },
		leave:  func(group string, m member) { p.leave(group, m) },
		sends: map[string]func(string) error{
			anEvent:   func(group string) error { return p.send(group, event()) },
			sealed:    func(group string) error { return p.send(group, once) },
			broadcast: func(group string) error { p.broadcast(group, message); return nil },
		},
	}
}

func (p *plain) join(group string, m layers.Member) {
	p.Lock()
	defer p.Unlock()
	g := p.groups[group]
	if g == nil {
		g = map[layers.Member]struct{}{}
		p.groups[group] = g
	}
	g[m] = struct{}{}
}

func (p *plain) leave(group string, m layers.Member) {
	p.Lock()
	defer p.Unlock()
	delete(p.groups[group], m)
	if len(p.groups[group]) == 0 {
		delete(p.groups, group)
	}
}

func (p *plain) send(group string, e *protocol.Event) error {
	if err := events.Seal(e); err != nil {
		return err
	}
	p.Lock()
	defer p.Unlock()
	for m := range p.groups[group] {
		m.Deliver(e)
	}
	return nil
}

func (p *plain) broadcast(group string, message protocol.Message) {
	prepared := protocol.Prepare(message)
	defer prepared.Release()
	p.Lock()
	defer p.Unlock()
	for m := range p.groups[group] {
		m.Offer(prepared)
	}
}

// enter makes members and has them join.
func (h *hub) enter(tb testing.TB, group string, n int) []member {
	tb.Helper()
	all := h.make(tb, n)
	for _, m := range all {
		h.mustJoin(tb, group, m)
	}
	return all
}

func (h *hub) make(tb testing.TB, n int) []member {
	tb.Helper()
	all := make([]member, n)
	for i := range all {
		var err error
		if all[i], err = h.member(); err != nil {
			tb.Fatal(err)
		}
	}
	return all
}

func (h *hub) mustJoin(tb testing.TB, group string, m member) {
	tb.Helper()
	if err := h.join(group, m); err != nil {
		tb.Fatal(err)
	}
}
