package layers_test

import (
	"context"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// note is what is sent in these tests.
type note struct {
	From string `json:"from"`
	N    int    `json:"n"`
}

func noted() protocol.EventType[note] { return protocol.EventType[note]{Name: "note"} }

// member writes down what it is given.
type member struct {
	mu struct {
		sync.Mutex
		notes    []note
		messages []string
		events   []*protocol.Event
	}
}

func (m *member) Deliver(e *protocol.Event) bool {
	n, err := noted().Payload(e)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.events = append(m.mu.events, e)
	if err == nil {
		m.mu.notes = append(m.mu.notes, n)
	}
	return false
}

// Watches has the layer tell the member who is present.
func (m *member) Watches(typ string) bool {
	return typ == layers.Entered.Name || typ == layers.Changed.Name || typ == layers.Exited.Name
}

func (m *member) Offer(p *protocol.Prepared) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.messages = append(m.mu.messages, p.Message().Text())
	return false
}

// heard returns the numbers that came from somebody, and forgets all there is.
func (m *member) heard(from string) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ns []int
	for _, n := range m.mu.notes {
		if n.From == from {
			ns = append(ns, n.N)
		}
	}
	m.mu.notes = nil
	return ns
}

// got returns how many notes and messages came, and forgets them.
func (m *member) got() (notes, messages int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	notes, messages = len(m.mu.notes), len(m.mu.messages)
	m.mu.notes, m.mu.messages = nil, nil
	return notes, messages
}

// group is a layer whose group "g" has n members.
func group(t *testing.T, n int) (*layers.Layer, []*member) {
	t.Helper()
	l, all := new(layers.Layer), make([]*member, n)
	for i := range all {
		all[i] = &member{}
		join(t, l, "g", all[i])
	}
	return l, all
}

func join(t *testing.T, l *layers.Layer, group string, m layers.Member) {
	t.Helper()
	if err := l.Join(context.Background(), group, m); err != nil {
		t.Error(err)
	}
}

// send sends note n from somebody to group "g".
func send(t *testing.T, l *layers.Layer, from string, n int) {
	t.Helper()
	if err := l.GroupSend(context.Background(), "g", noted().New(note{from, n})); err != nil {
		t.Error(err)
	}
}
