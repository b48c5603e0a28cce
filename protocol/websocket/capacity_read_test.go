package websocket_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestCapacityReadBytesIncomplete has many peers send the better part of a large
// message, and not the rest: all of them together stay within the budget, those that
// have waited the longest are closed, and a peer that completes its message is served.
func TestCapacityReadBytesIncomplete(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		const peers, size, all = 30, 200 * kib, 1024 * kib
		s := besiege(t, via, fakes.Echo(), &websocket.Options{Capacity: websocket.Capacity{ReadBytes: all}})
		part := frame(finBinary, strings.Repeat("m", size))[:size/2]
		var attackers []*peer
		for i := range peers {
			p, _ := s.attacker()
			p.SendBytes(part)
			synctest.Wait()
			attackers = append(attackers, p)
			held, memory := s.Stats().HeldBytes, websocket.Assembling(s.Server)
			if held > all || int64(memory) > held || held < size/2 {
				t.Errorf("%d peers: %d bytes held, %d in memory, want %d at the most", i+1, held, memory, all)
			}
		}
		good, _ := s.attacker()
		for whole := frame(finBinary, strings.Repeat("g", size)); len(whole) > 0; {
			n := min(len(whole), 10*kib)
			good.SendBytes(whole[:n])
			whole = whole[n:]
		}
		good.Want(websockettest.Binary(strings.Repeat("g", size)))
		good.closes()
		closed := s.Stats().HeldClosed
		if closed < peers/2 {
			t.Errorf("%d are closed, want more", closed)
		}
		for i, p := range attackers {
			if i < int(closed) { // the first, which have waited the longest
				if code, _, _ := p.untilClose(); code != 1013 {
					t.Errorf("peer %d: closed with %d, want 1013", i, code)
				}
			}
			p.Conn.Close()
		}
		s.endedAs(map[protocol.CloseCode]int64{1000: 1, 1013: closed, 1006: peers - closed})
		s.wantLog(t, "read budget was used up")
		s.over(websocket.Stats{Stats: protocol.Stats{HeldClosed: closed}})
	})
}

// TestCapacityReadBytesWaiting has many peers send behind a callback that is busy.
func TestCapacityReadBytesWaiting(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		const peers, size, all = 20, 50 * kib, 400 * kib
		release := make(chan struct{})
		app := fakes.Echo()
		app.OnReceive = func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			if m.Text() == "block" {
				<-release
				return nil
			}
			return c.Send(ctx, m)
		}
		s := besiege(t, via, app, &websocket.Options{Capacity: websocket.Capacity{ReadBytes: all}, Limits: protocol.Limits{ReadAhead: 64 * kib}})
		var attackers []*peer
		for i := range peers {
			p, _ := s.attacker()
			p.SendText("block")
			p.SendText(strings.Repeat("m", size))
			p.SendText(strings.Repeat("m", size))
			synctest.Wait()
			if held := s.Stats().HeldBytes; held > all || held < size {
				t.Errorf("%d peers: %d bytes held, want %d at the most", i+1, held, all)
			}
			attackers = append(attackers, p)
		}
		closed := s.Stats().HeldClosed
		if least := int64(peers - all/(2*size)); closed < least || closed > least+2 { // a message counts while it comes, too
			t.Errorf("%d are closed, want %d", closed, least)
		}
		s.good.served()
		for _, p := range attackers {
			p.Conn.Close()
		}
		close(release)
		s.endedAs(map[protocol.CloseCode]int64{1013: closed, 1006: peers - closed})
		synctest.Wait()
		st := s.Stats()
		s.over(websocket.Stats{Stats: protocol.Stats{HeldClosed: closed, MessagesUnread: st.MessagesUnread}, Pauses: st.Pauses})
	})
}

// endedAs waits for as many ends as want has, and compares.
func (s *siege) endedAs(want map[protocol.CloseCode]int64) {
	s.t.Helper()
	codes := map[protocol.CloseCode]int64{}
	for _, n := range want {
		for range n {
			codes[(<-s.ends).Code]++
		}
	}
	if !maps.Equal(codes, want) {
		s.t.Errorf("ended with %v, want %v", codes, want)
	}
}
