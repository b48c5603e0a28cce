package websocket_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

const freeOfEach = 4 << 10 // of a queue, not counted

// TestCapacityQueueBytes has many peers read nothing while they are sent to: all
// their queues together stay within the budget, which is empty when they are gone.
func TestCapacityQueueBytes(t *testing.T) {
	t.Parallel()
	const peers, all, sends = 50, 256 * kib, 40
	rows := map[string]struct {
		policy protocol.Overflow
		err    error
		ends   func(refused int64) map[protocol.CloseCode]int64
		stats  func(refused int64) websocket.Stats
	}{
		"close": {protocol.OverflowClose, protocol.ErrSlow, func(n int64) map[protocol.CloseCode]int64 {
			return map[protocol.CloseCode]int64{1013: n, 1006: peers - n} // those that were first in time
		}, func(n int64) websocket.Stats {
			return websocket.Stats{Stats: protocol.Stats{SlowClosed: n, MessagesDropped: n}, QueuesFull: n, CloseTimeouts: n, WriteTimeouts: peers - n}
		}},
		"drop the newest": {protocol.OverflowDropNewest, protocol.ErrDropped, func(int64) map[protocol.CloseCode]int64 {
			return map[protocol.CloseCode]int64{1006: peers}
		}, func(n int64) websocket.Stats {
			return websocket.Stats{Stats: protocol.Stats{MessagesDropped: n}, QueuesFull: n, WriteTimeouts: peers}
		}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				s := besiege(t, via, fakes.Echo(), &websocket.Options{
					Capacity: websocket.Capacity{QueueBytes: all}, Limits: protocol.Limits{Overflow: row.policy},
				})
				refused, m := int64(0), protocol.Text(strings.Repeat("m", kib))
				var deaf []*peer
				for range peers {
					p, c := s.attacker()
					deaf = append(deaf, p)
					for range sends {
						err := c.Send(t.Context(), m)
						switch {
						case errors.Is(err, row.err):
							refused++
						case err != nil:
							t.Fatal(err)
						}
						if err != nil && row.policy == protocol.OverflowClose {
							break
						}
					}
					synctest.Wait()
					pending, _, charged := websocket.Queued(s.Server)
					if charged > all || pending > charged+peers*(freeOfEach+kib) {
						t.Errorf("%d bytes queued, %d of them charged, want %d at the most", pending, charged, all)
					}
					s.good.served() // its queue is empty, so there is room for one message
				}
				if least := int64(all / (sends * kib)); refused < least {
					t.Errorf("%d sends were refused, want more", refused)
				}
				for _, p := range deaf {
					<-p.Conn.(*websockettest.Pipe).Cut
				}
				codes := map[protocol.CloseCode]int64{}
				for range deaf {
					codes[(<-s.ends).Code]++
				}
				if want := row.ends(refused); !maps.Equal(codes, want) {
					t.Errorf("ended with %v, want %v", codes, want)
				}
				s.over(row.stats(refused))
			})
		})
	}
}

// TestCapacityQueueBytesFree counts nothing of queues that are short.
func TestCapacityQueueBytesFree(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		const peers, each = 20, 4
		s := besiege(t, via, fakes.Echo(), &websocket.Options{Capacity: websocket.Capacity{QueueBytes: 1}})
		for range peers {
			_, c := s.attacker()
			for range each {
				s.send(c, strings.Repeat("m", freeOfEach/each-10))
			}
		}
		synctest.Wait()
		if pending, _, charged := websocket.Queued(s.Server); charged != 0 || pending < peers*(freeOfEach-50) {
			t.Errorf("%d bytes queued, %d of them charged, want none", pending, charged)
		}
		for range peers {
			s.ended(1006, false, nil)
		}
		s.over(websocket.Stats{WriteTimeouts: peers})
	})
}

// TestCapacityQueueBytesOneFits takes one message whatever its size, and whatever
// the others have; the next one, if it is larger than a unit of what is charged, is refused.
func TestCapacityQueueBytesOneFits(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiege(t, via, fakes.Echo(), &websocket.Options{
			Capacity: websocket.Capacity{QueueBytes: 10 * kib}, Limits: protocol.Limits{Overflow: protocol.OverflowDropNewest},
		})
		large := strings.Repeat("m", 100*kib)
		for range 3 {
			_, c := s.attacker()
			s.send(c, large)
			if err := c.Send(t.Context(), protocol.Text(large[:freeOfEach])); !errors.Is(err, protocol.ErrDropped) {
				t.Errorf("a second message: got %v, want ErrDropped", err)
			}
		}
		p, c := s.attacker()
		for range 2 {
			s.send(c, large)
			p.WantText(large)
			synctest.Wait() // until we know that it is written
		}
		p.closes()
		for range 4 {
			<-s.ends
		}
		s.over(websocket.Stats{Stats: protocol.Stats{MessagesDropped: 3}, QueuesFull: 3, WriteTimeouts: 3})
	})
}
