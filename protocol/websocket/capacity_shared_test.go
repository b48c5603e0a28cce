package websocket_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// member is a layers.Member that is a bare connection.
type member struct{ *protocol.Conn }

func (m member) Deliver(e *protocol.Event) (yield bool) {
	_ = m.Post(e)
	return false
}

func (m member) Offer(p *protocol.Prepared) (yield bool) {
	_ = m.Conn.Offer(p)
	return false
}

// TestCapacityQueueBytesRooms has the peers of many rooms, each alone in its room, read
// nothing while large messages are sent to the rooms: all that is held for them stays
// within the budget. Then all are in one room, whose messages count once.
func TestCapacityQueueBytesRooms(t *testing.T) {
	t.Parallel()
	const peers, sends, size, all = 30, 8, 64 * kib, 1024 * kib
	rows := map[string]struct {
		room func(i int) string
		most int64 // charged
		full bool
	}{
		"rooms of one":    {func(i int) string { return fmt.Sprint("room", i) }, all + peers*(size+20), true}, // one message always fits
		"one room of all": {func(int) string { return "room" }, sends * (size + 20), false},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				l := new(layers.Layer)
				s := besiege(t, via, fakes.Echo(), &websocket.Options{
					Capacity: websocket.Capacity{QueueBytes: all}, Limits: protocol.Limits{Overflow: protocol.OverflowDropNewest},
				})
				rooms := map[string]bool{}
				for i := range peers {
					_, c := s.attacker()
					rooms[row.room(i)] = true
					if err := l.Join(t.Context(), row.room(i), member{c}); err != nil {
						t.Fatal(err)
					}
				}
				for i := range sends {
					for room := range rooms {
						if err := l.Broadcast(t.Context(), room, protocol.Text(strings.Repeat(fmt.Sprint(i), size))); err != nil {
							t.Fatal(err)
						}
					}
				}
				synctest.Wait()
				st := s.Stats()
				if st.QueuedBytes > row.most || st.QueuedBytes < size || (st.QueuesFull > 0) != row.full {
					t.Errorf("%d bytes charged, %d sends refused, want %d bytes at the most", st.QueuedBytes, st.QueuesFull, row.most)
				}
				s.good.served()
				for range peers {
					s.ended(1006, false, nil)
				}
				s.over(websocket.Stats{
					Stats: protocol.Stats{MessagesDropped: st.MessagesDropped}, QueuesFull: st.QueuesFull, WriteTimeouts: peers,
				})
			})
		})
	}
}

// TestCapacityQueueBytesTwoServers has connections of two servers in one room: each
// server counts what its own queues hold.
func TestCapacityQueueBytesTwoServers(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		const size = 100 * kib
		one, two := besiege(t, via, fakes.Echo(), nil), besiege(t, via, fakes.Echo(), nil)
		p := protocol.Prepare(protocol.Text(strings.Repeat("s", size)))
		for range 3 {
			for _, s := range []*siege{one, two} {
				_, c := s.attacker()
				if err := c.SendPrepared(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
		}
		reads, c := one.attacker()
		if err := c.SendPrepared(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		reads.WantText(string(p.Message().Data))
		for _, s := range []*siege{one, two} {
			if got := s.Stats().QueuedBytes; got < size || got > size+20 {
				t.Errorf("%d bytes charged, want %d and a header", got, size)
			}
		}
		reads.closes()
		one.ended(1000, true, nil)
		for _, s := range []*siege{one, two} {
			for range 3 {
				s.ended(1006, false, nil)
			}
			s.over(websocket.Stats{WriteTimeouts: 3})
		}
	})
}
