package consumer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// turn is the list of the connections that a loop has to run callbacks of.
type turn struct{ due []*looped }

// run runs the callbacks that are due.
func (t *turn) run() {
	for i := 0; i < len(t.due); i++ {
		if t.due[i].session.Run(16) {
			t.due = append(t.due, t.due[i])
		}
	}
	clear(t.due)
	t.due = t.due[:0]
}

// looped is the transport of a connection of a loop, which drops what it is given.
type looped struct {
	turn    *turn
	session *protocol.Session
	bytes   int
}

func (*looped) Accept(protocol.AcceptOptions) error       { return nil }
func (*looped) Reject(*protocol.RejectError)              {}
func (*looped) Close(protocol.CloseStatus)                {}
func (l *looped) Send(m protocol.Message) error           { l.bytes += len(m.Data); return nil }
func (l *looped) SendPrepared(p *protocol.Prepared) error { l.bytes += p.Len(); return nil }
func (l *looped) Schedule()                               { l.turn.due = append(l.turn.due, l) }

type quote struct{ Text string }

var quoted = consumer.EventType[quote]{Name: "quoted"}

const proverb = "the quick brown fox jumps over the lazy dog"

// quoter is a consumer that sends the text of each event to its peer.
type quoter struct{ consumer.Base }

func (*quoter) quoted(ctx context.Context, c *consumer.Conn, q quote) error {
	return c.SendText(ctx, q.Text)
}

// loopRoom is a layer with members on one loop.
type loopRoom struct {
	layer *layers.Layer
	turn  turn
	all   []*looped
}

func newLoopRoom(tb testing.TB, members int) *loopRoom {
	tb.Helper()
	r := &loopRoom{layer: new(layers.Layer)}
	app := layers.Middleware(r.layer)(consumer.New(func(*consumer.Scope) *quoter { return &quoter{} },
		consumer.On(quoted, (*quoter).quoted), consumer.Groups[*quoter]("room")))
	o := &protocol.SessionOptions{Counters: new(protocol.Counters)}
	for range members {
		scope := protocol.NewScope("websocket", httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/", nil))
		l := &looped{turn: &r.turn}
		l.session = protocol.NewSession(context.Background(), app, scope, l, o)
		if !l.session.Open() {
			tb.Fatal("refused")
		}
		r.all = append(r.all, l)
	}
	r.turn.run()
	return r
}

// sends are what is sent to a room.
func (r *loopRoom) sends() map[string]func() error {
	ctx, m := context.Background(), consumer.Text(proverb)
	return map[string]func() error{
		"message": func() error { return r.layer.Broadcast(ctx, "room", m) },
		"event": func() error {
			err := r.layer.GroupSend(ctx, "room", quoted.New(quote{proverb}))
			r.turn.run()
			return err
		},
	}
}

// BenchmarkFanOut is a message, or an event with a handler that sends, to all members of a
// group on one loop: what layers, consumer and session cost, without framing and socket.
func BenchmarkFanOut(b *testing.B) {
	for _, members := range []int{10, 1000, 10_000, 100_000} {
		r := newLoopRoom(b, members)
		for _, what := range []string{"message", "event"} {
			send := r.sends()[what]
			b.Run(fmt.Sprintf("what=%s/members=%d", what, members), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := send(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(members), "ns/member")
			})
		}
	}
}

// TestAllocOfFanOut: a send allocates for itself and not for each member, also with handlers
// that send.
func TestAllocOfFanOut(t *testing.T) {
	skipUnderRace(t)
	rows := []struct {
		at   testkit.Line
		what string
		most float64
	}{
		{testkit.Here(), "message", 0},
		{testkit.Here(), "event", 8},
	}
	for _, row := range rows {
		cost := func(members int) float64 {
			send := newLoopRoom(t, members).sends()[row.what]
			return testing.AllocsPerRun(100, func() {
				if err := send(); err != nil {
					t.Fatal(err)
				}
			})
		}
		one, many := cost(1), cost(1000)
		t.Logf("%s: %v allocations for one member, %v for 1000", row.what, one, many)
		if many > one+1 || many > row.most {
			t.Errorf("%s: %s: a send allocates %v times for 1 member and %v times for 1000, want the same, and at most %v",
				row.at, row.what, one, many, row.most)
		}
	}
}
