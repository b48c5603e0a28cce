package websocket_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// within fails unless d is what it should be, or later by less than a tick.
func within(t *testing.T, what string, d, want, slack time.Duration) {
	t.Helper()
	if d < want || d > want+slack {
		t.Errorf("%s after %v, want %v to %v", what, d, want, want+slack)
	}
}

// TestKeepAlivePings sends pings to those who say nothing, and lives on what they
// answer.
func TestKeepAlivePings(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		p := serveOver(t, via, app, nil).open(t)
		c := settled(opened)
		if c.RTT() != 0 {
			t.Errorf("RTT %v before the first ping", c.RTT())
		}
		for i := range 5 {
			begun := time.Now()
			ping := p.Next()
			if ping.First != finPing || len(ping.Payload) > 125 {
				t.Fatalf("got %#x %q, want a ping", ping.First, ping.Payload)
			}
			within(t, "pinged", time.Since(begun), 20*time.Second, 11*time.Second)
			<-time.After(time.Duration(i+1) * 100 * time.Millisecond)
			p.SendBytes(frame(finPong, ping.Payload))
			synctest.Wait()
			if want := time.Duration(i+1) * 100 * time.Millisecond; c.RTT() != want {
				t.Errorf("RTT %v, want %v", c.RTT(), want)
			}
		}
		p.SendText("and still")
		p.WantText("and still")
		p.closes()
	})
}

// TestKeepAliveCounts takes whatever comes for a sign of life, and only the
// answer to the last ping for a round trip.
func TestKeepAliveCounts(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		p := serveOver(t, via, app, &websocket.Options{PingInterval: 8 * time.Second, PongTimeout: 8 * time.Second}).open(t)
		c := settled(opened)
		signs := [][]byte{frame(finText, "x"), frame(finPong, ""), frame(finPong, "12345678"), frame(finPing, "y"), frame(text, "")}
		for _, sign := range signs {
			if got := p.Next(); got.First != finPing {
				t.Fatalf("got %#x, want a ping", got.First)
			}
			<-time.After(5 * time.Second)
			p.SendBytes(sign)
			switch sign[0] {
			case finText:
				p.WantText("x")
			case finPing:
				p.Want(websockettest.Pong("y"))
			}
		}
		p.SendBytes(frame(finCont, "whole"))
		p.WantText("whole")
		if c.RTT() != 0 {
			t.Errorf("RTT %v although no ping was answered", c.RTT())
		}
		p.closes()
	})
}

// TestKeepAliveCuts ends connections whose peer is gone, and says so.
func TestKeepAliveCuts(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := serveOver(t, via, app, &websocket.Options{PingInterval: 8 * time.Second, PongTimeout: 4 * time.Second})
		begun := time.Now()
		p := s.open(t)
		if got := p.Next(); got.First != finPing {
			t.Fatalf("got %#x, want a ping", got.First)
		}
		within(t, "pinged", time.Since(begun), 8*time.Second, 2*time.Second)
		begun = time.Now()
		end := <-ends
		within(t, "cut", time.Since(begun), 4*time.Second, 0)
		if end.Code != protocol.CloseAbnormal || end.Remote || !errors.Is(end.Err, websocket.ErrPongTimeout) {
			t.Errorf("ended with %+v", end)
		}
		p.WantEnd()
		synctest.Wait()
		if n := s.Stats().Unanswered; n != 1 {
			t.Errorf("Unanswered is %d, want 1", n)
		}
	})
}

// TestKeepAliveWaits takes nobody for dead while we do not read what he says: his
// answer may be there already (decision 22).
func TestKeepAliveWaits(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		release := make(chan struct{})
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			if m.Text() == "block" {
				<-release
			}
			return nil
		}}
		s := serveOver(t, via, app, &websocket.Options{
			PingInterval: 8 * time.Second, PongTimeout: 4 * time.Second, Limits: protocol.Limits{ReadAhead: 1},
		})
		p := s.open(t)
		synctest.Wait() // Connect is over, so that messages need not wait for it
		p.SendText("block")
		p.SendText("fills the read-ahead")
		go p.Conn.Write(frame(finPing, "not read for long")) //nolint:errcheck // the answer shows it
		<-time.After(10 * time.Minute)
		if st := s.Stats(); st.Open != 1 || st.Pauses != 1 {
			t.Fatalf("%d open after %d pauses, want 1 and 1", st.Open, st.Pauses)
		}
		close(release)
		p.Want(websockettest.Pong("not read for long"))
		begun := time.Now()
		p.nextPing()
		within(t, "pinged", time.Since(begun), 6*time.Second, 4*time.Second)
		p.closes()
	})
}

// TestKeepAliveLeavesReadersAlone sends no ping to a peer that has not read what
// it was sent before: its pong would have to wait behind that, and WriteTimeout
// is for those that do not read at all.
func TestKeepAliveLeavesReadersAlone(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		s := serveOver(t, via, app, &websocket.Options{PingInterval: 8 * time.Second, PongTimeout: 4 * time.Second, WriteTimeout: time.Hour})
		p := s.open(t)
		large := strings.Repeat("a", 100<<10)
		if err := settled(opened).Send(t.Context(), protocol.Text(large)); err != nil {
			t.Fatal(err)
		}
		<-time.After(30 * time.Minute)
		p.WantText(large)
		p.closes()
	})
}

// TestKeepAliveOff sends nothing of its own.
func TestKeepAliveOff(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		p := serveOver(t, via, fakes.Echo(), &websocket.Options{PingInterval: -1, PongTimeout: time.Second}).open(t)
		<-time.After(time.Duration(testkit.Count(24, 1)) * time.Hour)
		p.SendText("x")
		p.WantText("x")
		p.closes()
	})
}

// TestKeepAliveManyAreSpread makes sure that pings to connections that were
// opened at once do not go out at once.
func TestKeepAliveManyAreSpread(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		const many = 160
		s := serveOver(t, via, fakes.Echo(), &websocket.Options{PingInterval: 16 * time.Second})
		times := make(chan time.Time, many)
		var all sync.WaitGroup
		for range many {
			p := s.open(t)
			all.Go(func() {
				ping := p.Next()
				times <- time.Now()
				p.SendBytes(frame(finPong, ping.Payload))
				p.closes()
			})
		}
		all.Wait()
		at := map[time.Time]int{}
		for range many {
			at[<-times]++
		}
		for when, n := range at {
			if n > many/16 {
				t.Errorf("%d pings at %v, want %d at the most", n, when, many/16)
			}
		}
	})
}

// TestSlowSender refuses a message that dribbles in, whatever it is cut into, and
// leaves those alone that are merely slow, or idle between messages.
func TestSlowSender(t *testing.T) {
	t.Parallel()
	ways := map[string]struct {
		head, drop []byte
		every      time.Duration
		slow       bool
	}{
		"payload":           {frame(finBinary, strings.Repeat("a", 1000))[:20], []byte{0}, time.Second, true},
		"header":            {[]byte{finText}, nil, time.Second, true},
		"fragments":         {frame(text, "a"), frame(cont, "b"), time.Second, true},
		"empty fragments":   {frame(text, "a"), frame(cont, ""), time.Second, true},
		"pings in between":  {frame(text, "a"), frame(finPing, "p"), time.Second, true},
		"many pings":        {frame(text, "a"), masked(finPing, strings.Repeat("p", 100), 3), time.Second, true},
		"many empty ones":   {frame(text, "a"), masked(cont, "", 50), time.Second, true},
		"control frame":     {frame(finPing, "aaaa")[:7], nil, time.Second, true},
		"slow, but moving":  {frame(finBinary, strings.Repeat("a", 100_000))[:20], make([]byte, 300), time.Second, false},
		"small whole ones":  {frame(finText, "a"), frame(finText, "b"), time.Second, false},
		"nothing but pongs": {frame(finPong, "a"), frame(finPong, "b"), time.Second, false},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				app := &fakes.Handler{}
				ends := app.Ends()
				s := serveOver(t, via, app, &websocket.Options{PingInterval: -1})
				p := s.open(t)
				var dribbling sync.WaitGroup
				defer dribbling.Wait()
				defer p.Conn.Close()
				dribbling.Go(func() { p.dribble(way.head, way.drop, way.every) })
				if !way.slow {
					<-time.After(5 * time.Minute)
					p.Conn.Close()
					if end := <-ends; end.Code != protocol.CloseAbnormal || s.Stats().SlowSenders != 0 {
						t.Errorf("ended with %+v, SlowSenders %d", end, s.Stats().SlowSenders)
					}
					return
				}
				begun := time.Now()
				p.Patience = -1
				for {
					got, err := p.Read()
					if err != nil {
						t.Fatal(err)
					}
					if got.First == finPong {
						continue
					}
					if got.First != finClose || !strings.HasPrefix(got.Payload, "\x03\xf0") {
						t.Errorf("got %#x %q, want a close with 1008", got.First, got.Payload)
					}
					break
				}
				within(t, "closed", time.Since(begun), 68*time.Second, 12*time.Second)
				p.Conn.Close()
				if end := <-ends; end.Code != protocol.ClosePolicyViolation || s.Stats().SlowSenders != 1 {
					t.Errorf("ended with %+v, SlowSenders %d", end, s.Stats().SlowSenders)
				}
			})
		})
	}
}

// dribble writes head and then drop every so often, until the connection is over.
func (p *peer) dribble(head, drop []byte, every time.Duration) {
	for {
		if _, err := p.Conn.Write(head); err != nil {
			return
		}
		head = drop
		<-time.After(every)
	}
}

// nextPing waits for a ping and returns its payload.
func (p *peer) nextPing() string {
	p.tb.Helper()
	for {
		if got := p.Next(); got.First == finPing {
			return got.Payload
		}
	}
}
