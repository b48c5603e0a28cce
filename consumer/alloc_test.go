package consumer_test

import (
	"context"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// skipUnderRace skips a test that counts allocations: the race detector allocates.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
}

func TestAllocOfAnEcho(t *testing.T) {
	skipUnderRace(t)
	s := benchSession(t, benchApp(new(layers.Layer)))
	m := protocol.Message{Data: make([]byte, 64)}
	if n := testing.AllocsPerRun(1000, func() { s.Receive(m) }); n != 0 {
		t.Errorf("an echo through session, consumer and Conn allocates %v times, want 0", n)
	}
}

func TestAllocOfABroadcastDoesNotGrowWithTheGroup(t *testing.T) {
	skipUnderRace(t)
	cost := func(members int) float64 {
		l := new(layers.Layer)
		app := benchApp(l)
		for range members {
			benchSession(t, app)
		}
		m := protocol.Message{Data: make([]byte, 128)}
		return testing.AllocsPerRun(200, func() {
			if err := l.Broadcast(context.Background(), "a", m); err != nil {
				t.Fatal(err)
			}
		})
	}
	if one, many := cost(1), cost(1000); one != many {
		t.Errorf("a broadcast allocates %v times for 1 member and %v times for 1000, want the same", one, many)
	}
}

func TestAllocOfContextsWithoutValues(t *testing.T) {
	skipUnderRace(t)
	var same bool
	s := benchSession(t, (&stub{receive: func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
		same = ctx == c.Context() && ctx == c.Protocol().Context()
		return nil
	}}).app())
	m := protocol.Text("x")
	if n := testing.AllocsPerRun(100, func() { s.Receive(m) }); n != 0 || !same {
		t.Errorf("a callback's ctx costs %v allocations, and is the connection's ctx: %t", n, same)
	}
}
