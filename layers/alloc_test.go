package layers_test

import (
	"context"
	"testing"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// idle takes everything in for nothing.
type idle struct{ n int }

func (m *idle) Deliver(*protocol.Event) bool    { m.n++; return false }
func (m *idle) Offer(p *protocol.Prepared) bool { m.n += p.Len(); return false }

// cost is how often a send to a group of so many members allocates.
func cost(t *testing.T, members int, send func(l *layers.Layer) error) float64 {
	t.Helper()
	l := new(layers.Layer)
	for range members {
		join(t, l, "g", &idle{})
	}
	return testing.AllocsPerRun(200, func() {
		if err := send(l); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAllocPerSendAndNotPerMember(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	m := protocol.Text("a message of some bytes")
	sealed := noted().New(note{"x", 1})
	if err := events.Seal(sealed); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		at   testkit.Line
		name string
		most float64
		send func(l *layers.Layer) error
	}{
		{testkit.Here(), "event", 2, func(l *layers.Layer) error { return l.GroupSend(ctx, "g", noted().New(note{"x", 1})) }},
		{testkit.Here(), "sealed event", 0, func(l *layers.Layer) error { return l.GroupSend(ctx, "g", sealed) }},
		{testkit.Here(), "broadcast", 0, func(l *layers.Layer) error { return l.Broadcast(ctx, "g", m) }},
		{testkit.Here(), "message event", 4, func(l *layers.Layer) error { return l.GroupSend(ctx, "g", protocol.SendType.New(m)) }},
	}
	for _, row := range rows {
		one, many := cost(t, 1, row.send), cost(t, 1000, row.send)
		t.Logf("%s allocates %v times", row.name, one)
		if one != many || many > row.most {
			t.Errorf("%s: %s allocates %v times for 1 member and %v times for 1000; want the same, and at most %v", row.at, row.name, one, many, row.most)
		}
	}
}

func TestAllocOfValidName(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := layers.ValidName("chat.123"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a valid name costs %v allocations", n)
	}
}
