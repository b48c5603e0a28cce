package websocket_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestRateWaits has a peer write much at once, in whole messages and in fragments, and
// answer no ping meanwhile: it is read at the rate of its route, gets an answer to
// everything, and is taken neither for silent nor for slow.
func TestRateWaits(t *testing.T) {
	t.Parallel()
	const messages, burst = 60, 5
	inBubbles(t, func(t *testing.T, via carrier) {
		rate := protocol.Limits{Rate: protocol.Rate{Messages: 1, MessageBurst: burst}}
		app := fakes.Echo()
		s := serveOver(t, via, app, &websocket.Options{Limits: rate, PingInterval: 4 * time.Second, PongTimeout: 4 * time.Second})
		p := s.open(t)
		p.Patience = 2 * time.Minute // as long as it takes to take everything
		begun := time.Now()
		var writing sync.WaitGroup
		writing.Go(func() {
			var all []byte
			for i := range messages {
				m := fmt.Sprint("message ", i)
				all = append(all, frame(text, m[:4])...)
				all = append(all, frame(finCont, m[4:])...)
			}
			p.SendBytes(all)
		})
		for i := range messages {
			f := p.Next()
			for f.First == finPing {
				f = p.Next()
			}
			if want := fmt.Sprint("message ", i); f.Payload != want {
				t.Fatalf("got %q, want %q", f.Payload, want)
			}
			if d, want := time.Since(begun), time.Duration(max(i+1-burst, 0))*time.Second; d < want || d > want+time.Second/10 {
				t.Errorf("message %d after %v, want %v", i, d, want)
			}
		}
		writing.Wait()
		if st := s.Stats(); st.RatePauses == 0 || st.Unanswered+st.SlowSenders+st.MessagesUnread != 0 || st.Open != 1 {
			t.Errorf("counted %+v", st)
		}
		p.closes()
	})
}

// TestRatePerRoute: a route may have a rate of its own, close for it, or have none.
func TestRatePerRoute(t *testing.T) {
	t.Parallel()
	closes := protocol.Limits{Rate: protocol.Rate{Messages: 1, MessageBurst: 2, Close: true}}
	three := [][]byte{frame(finText, "1"), frame(finText, "2"), frame(finText, "3")}
	for _, row := range []struct {
		at             testkit.Line
		server, route  protocol.Limits
		limited, plain string
	}{
		{testkit.Here(), protocol.Limits{}, closes, "closed", "all heard"},
		{testkit.Here(), closes, protocol.Limits{Rate: protocol.Rate{Messages: -1}}, "all heard", "closed"},
		{testkit.Here(), closes, protocol.Limits{MaxMessage: 10}, "closed", "closed"},
		{testkit.Here(), closes, protocol.Limits{Rate: protocol.Rate{Bytes: 3}}, "all heard", "closed"},
	} {
		inBubbles(t, func(t *testing.T, via carrier) {
			s, opened, ends := twoRoutes(t, via, row.server, row.route)
			for path, want := range map[string]string{"/limited/": row.limited, "/": row.plain} {
				p := s.peer(t)
				p.Upgrade(websockettest.Request(path))
				settled(opened)
				p.SendBytes(three...)
				p.WantText("1")
				p.WantText("2")
				got := "all heard"
				if f := p.Next(); f.First == finClose {
					got = "closed"
				}
				if got != want {
					t.Errorf("%s: %s: %s, want %s", row.at, path, got, want)
				}
				p.Conn.Close()
				<-ends
			}
		})
	}
}
