package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// listener is an application that echoes what the good peer says, and is silent
// otherwise.
func listener() *fakes.Handler {
	return &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
		if m.Text() != "all is well" {
			return nil
		}
		return c.Send(ctx, m)
	}}
}

// bounded fails if more is queued than bound, or takes more than three times as
// much memory and the largest buffer that is kept.
func (s *siege) bounded(bound int) {
	s.t.Helper()
	pending, memory, _ := websocket.Queued(s.Server)
	if pending > bound || memory > 3*bound+128*kib {
		s.t.Errorf("%d bytes are queued, and take %d, want %d at the most", pending, memory, bound)
	}
}

// readAttacks are peers that do not read.
func readAttacks() map[string]*attack {
	own := websocket.Options{Limits: protocol.Limits{QueueBytes: 10 * kib}}
	return map[string]*attack{
		"answers": {do: func(s *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(frame(finText, "hello"))
			p.floods(frame(finText, strings.Repeat("m", kib)), 100)
			synctest.Wait()
			s.bounded(8 * kib) // a turn's worth
			p.waitsFor(writeTimeout)
		}, code: 1006, stats: websocket.Stats{WriteTimeouts: 1}},
		"pongs": {opts: own, app: listener(), do: func(s *siege, p *peer, c *protocol.Conn) {
			s.send(c, "keeps a writer waiting, so that we read on")
			for range 50 {
				p.SendBytes(masked(finPing, strings.Repeat("p", 125), maxControls), frame(finText, "counts anew"))
				s.good.served()
				s.bounded(10*kib + 127)
			}
			p.waitsFor(writeTimeout)
		}, code: 1006, stats: websocket.Stats{WriteTimeouts: 1}},
		"echoes, by another writer": {opts: own, do: func(s *siege, p *peer, c *protocol.Conn) {
			s.send(c, "keeps a writer waiting, so that we read on")
			p.floods(frame(finText, strings.Repeat("m", 100)), 1000)
			synctest.Wait()
			s.bounded(41 * kib) // four times the limit, because it all comes within a second
			p.waitsFor(closeTimeout)
		}, code: 1013, err: protocol.ErrSlow, stats: websocket.Stats{Stats: protocol.Stats{SlowClosed: 1, MessagesDropped: 1, MessagesUnread: 598}, CloseTimeouts: 1}},
		"our close": {do: func(_ *siege, p *peer, c *protocol.Conn) {
			c.Close(4000, "go")
			p.waitsFor(closeTimeout)
		}, code: 4000, stats: websocket.Stats{CloseTimeouts: 1}},
		"our close, and never goes": {do: func(_ *siege, p *peer, c *protocol.Conn) {
			c.Close(4000, "go")
			p.Want(websockettest.Close(4000, "go"))
			p.waitsFor(closeTimeout)
		}, code: 4000, stats: websocket.Stats{CloseTimeouts: 1}},
		"after its close": {do: func(s *siege, p *peer, c *protocol.Conn) {
			s.send(c, "is never read")
			p.SendBytes(closing(1000, ""))
			p.waitsFor(closeTimeout)
		}, code: 1000, remote: true, stats: websocket.Stats{CloseTimeouts: 1}},
		"after its close, and goes on": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(closing(1000, ""))
			p.Want(websockettest.Close(1000, ""))
			p.WantEnd() // at once, because it has nothing more to say to us
		}, code: 1000, remote: true},
		"more than a byte a second": {pipe: true, do: func(s *siege, p *peer, c *protocol.Conn) {
			s.send(c, strings.Repeat("m", maxMessage))
			begun := time.Now()
			for {
				if _, err := p.Conn.Read(make([]byte, 1)); err != nil {
					break
				}
				<-time.After(time.Second)
			}
			within(s.t, "cut", time.Since(begun), writeTimeout, time.Second)
		}, code: 1006, stats: websocket.Stats{WriteTimeouts: 1}},
	}
}

// send sends from elsewhere than a callback.
func (s *siege) send(c *protocol.Conn, m string) {
	s.t.Helper()
	if err := c.Send(s.t.Context(), protocol.Text(m)); err != nil {
		s.t.Error(err)
	}
}

// TestHostileReaders has peers that do not read cost what their bounds say.
func TestHostileReaders(t *testing.T) {
	t.Parallel()
	for name, a := range readAttacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withstand(t, a)
		})
	}
}

// TestHostileReadersAndSenders has an application send to a peer that never
// reads, under each policy. The first message is being written, nine fit.
func TestHostileReadersAndSenders(t *testing.T) {
	t.Parallel()
	const sends, limit = 100, 10
	rows := map[string]struct {
		policy protocol.Overflow
		fit    int
		err    error
		code   protocol.CloseCode
		why    error
		stats  websocket.Stats
	}{
		"close": {
			protocol.OverflowClose, 4 * limit, protocol.ErrSlow, 1013, protocol.ErrSlow,
			websocket.Stats{Stats: protocol.Stats{SlowClosed: 1, MessagesDropped: 1}, CloseTimeouts: 1},
		},
		"drop the newest": {protocol.OverflowDropNewest, limit, protocol.ErrDropped, 1006, nil, websocket.Stats{Stats: protocol.Stats{MessagesDropped: sends - limit}, WriteTimeouts: 1}},
		"drop the oldest": {protocol.OverflowDropOldest, limit, nil, 1006, nil, websocket.Stats{Stats: protocol.Stats{MessagesDropped: sends - limit}, WriteTimeouts: 1}},
		"block":           {protocol.OverflowBlock, limit, context.DeadlineExceeded, 1006, nil, websocket.Stats{WriteTimeouts: 1}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withstand(t, &attack{
				opts: websocket.Options{Limits: protocol.Limits{QueueBytes: limit * kib, Overflow: row.policy}},
				do: func(s *siege, p *peer, c *protocol.Conn) {
					begun, m := time.Now(), strings.Repeat("m", kib-4)
					for i := range sends {
						ctx, cancel := context.WithTimeout(s.t.Context(), 50*time.Millisecond)
						err := c.Send(ctx, protocol.Text(m))
						cancel()
						switch {
						case i < row.fit && err != nil:
							t.Errorf("send %d: %v", i, err)
						case i == row.fit && !errors.Is(err, row.err):
							t.Errorf("send %d: got %v, want %v", i, err, row.err)
						}
						synctest.Wait()
						s.bounded(row.fit*kib + 127)
						if i%10 == 0 {
							s.good.served()
						}
					}
					if d := time.Since(begun); row.policy != protocol.OverflowBlock && d != 0 {
						t.Errorf("the sends took %v", d)
					}
					p.cutAfter(begun)
				},
				code: row.code, err: row.why, stats: row.stats,
			})
		})
	}
}

// TestHostileBlockedSender returns ErrClosed to a send that waits for a peer
// which is cut.
func TestHostileBlockedSender(t *testing.T) {
	t.Parallel()
	withstand(t, &attack{
		opts: websocket.Options{Limits: protocol.Limits{QueueBytes: 1, Overflow: protocol.OverflowBlock}},
		do: func(s *siege, p *peer, c *protocol.Conn) {
			begun := time.Now()
			s.send(c, "one always fits")
			if err := c.Send(context.Background(), protocol.Text("another")); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
			within(t, "returned", time.Since(begun), writeTimeout, 0)
		},
		code: 1006, stats: websocket.Stats{WriteTimeouts: 1},
	})
}

// TestHostileFlood stops reading a peer that talks more than a busy callback
// takes, and takes nobody for dead over it.
func TestHostileFlood(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		release := make(chan struct{})
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			switch m.Text() {
			case "block":
				<-release
			case "all is well":
				return c.Send(ctx, m)
			}
			return nil
		}}
		s := besiege(t, via, app, nil)
		p, _ := s.attacker()
		p.SendText("block")
		const readAhead, flood = 64 * kib, 20_000
		written := p.floods(frame(finText, "x"), flood)
		<-time.After(10 * time.Minute)
		s.good.served()
		s.counted(websocket.Stats{Stats: protocol.Stats{Open: 2}, Pauses: 1, HeldBytes: (readAhead + 64) / 65 * 65})
		if len(written) != 0 {
			t.Errorf("%d messages were taken while a callback is busy", flood)
		}
		p.Conn.Close()
		n := <-written
		if most := (readAhead + 4*kib) / 65; n > most+1 || n < readAhead/65-1 {
			t.Errorf("%d messages were taken while a callback is busy, want %d at the most", n, most)
		}
		s.good.served()
		close(release)
		s.ended(1006, false, nil)
		s.over(websocket.Stats{Pauses: s.Stats().Pauses})
	})
}

// TestHostileLeavers has peers vanish, without a FIN: their network takes what we
// write up to a point, and nothing comes any more.
func TestHostileLeavers(t *testing.T) {
	t.Parallel()
	const ping, pong, all = 25 * time.Second, 20 * time.Second, 1 << 30
	rows := map[string]struct {
		last        []byte        // word of the peer
		every       time.Duration // we send something
		takes       int           // the network, in bytes
		code        protocol.CloseCode
		err         error
		least, most time.Duration
		stats       websocket.Stats
	}{
		"idle": {
			nil, 0, all, 1006, websocket.ErrPongTimeout, ping + pong - 5*time.Second, ping + pong + 12*time.Second, websocket.Stats{Unanswered: 1},
		},
		"while it is sent to": {
			nil, time.Second, all, 1006, websocket.ErrPongTimeout, ping + pong - 5*time.Second, ping + pong + 12*time.Second, websocket.Stats{Unanswered: 1},
		},
		"while it is sent to, a lot": {
			nil, time.Second, 10 * kib, 1006, nil, 10 * time.Second, writeTimeout + 11*time.Second, websocket.Stats{WriteTimeouts: 1},
		},
		"within a frame": {
			frame(finText, "hello")[:8], 0, all, 1008, nil, 10 * time.Second, 15*time.Second + closeTimeout, websocket.Stats{SlowSenders: 1, CloseTimeouts: 1},
		},
		"within a message": {
			frame(text, "hello"), 0, all, 1008, nil, 10 * time.Second, 15*time.Second + closeTimeout, websocket.Stats{SlowSenders: 1, CloseTimeouts: 1},
		},
	}
	quick := websocket.Options{Limits: protocol.Limits{MinRate: 2000}} // measured over ten seconds
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withstand(t, &attack{opts: quick, do: func(s *siege, p *peer, c *protocol.Conn) {
				p.SendBytes(row.last)
				_ = p.Conn.SetDeadline(time.Now().Add(time.Hour))
				begun := time.Now()
				go sendsEvery(row.every, c)
				for taken := 0; taken < row.takes; {
					n, err := p.Conn.Read(make([]byte, kib))
					if taken += n; err != nil {
						break
					}
				}
				p.cutAfter(begun)
				if d := time.Since(begun); d < row.least || d > row.most {
					t.Errorf("found out after %v, want %v to %v", d, row.least, row.most)
				}
				<-time.After(time.Second) // sendsEvery ends
			}, code: row.code, err: row.err, stats: row.stats})
		})
	}
}

// sendsEvery sends a KiB every so often until the connection is over.
func sendsEvery(every time.Duration, c *protocol.Conn) {
	m := protocol.Text(strings.Repeat("m", kib))
	for every > 0 && c.Send(context.Background(), m) == nil {
		<-time.After(every)
	}
}

// TestHostileVanishesWhileBusy notices it when the callback has returned.
func TestHostileVanishesWhileBusy(t *testing.T) {
	t.Parallel()
	app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
		if m.Text() == "block" {
			<-time.After(10 * time.Minute)
			return nil
		}
		return c.Send(ctx, m)
	}}
	withstand(t, &attack{
		app: app, opts: websocket.Options{Limits: protocol.Limits{ReadAhead: 1}},
		do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(frame(finText, "block"), frame(finText, "waits"))
			begun := time.Now()
			_ = p.Conn.SetDeadline(begun.Add(time.Hour))
			for {
				if _, err := p.Conn.Read(make([]byte, kib)); err != nil {
					break
				}
			}
			within(t, "found out", time.Since(begun), 10*time.Minute+40*time.Second, 17*time.Second)
		},
		code: 1006, err: websocket.ErrPongTimeout, stats: websocket.Stats{Pauses: 1, Unanswered: 1},
	})
}

// TestHostileTalkers go on after our close, for as long as CloseTimeout. What
// they say reaches nobody, and pings are not answered any more.
func TestHostileTalkers(t *testing.T) {
	t.Parallel()
	for name, word := range map[string][]byte{"messages": frame(finText, "and"), "pings": frame(finPing, "p")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				s := besiege(t, via, fakes.Echo(), nil)
				p, c := s.attacker()
				begun := time.Now()
				c.Close(4000, "go")
				p.Want(websockettest.Close(4000, "go"))
				said := int64(0)
				for ; ; said++ {
					if _, err := p.Conn.Write(word); err != nil {
						break
					}
					<-time.After(10 * time.Millisecond)
				}
				within(t, "cut", time.Since(begun), closeTimeout, 10*time.Millisecond)
				p.WantEnd()
				s.ended(4000, false, nil)
				want := websocket.Stats{CloseTimeouts: 1}
				if name == "messages" {
					want.MessagesUnread = said
				}
				s.over(want)
			})
		})
	}
}

// TestHostileHalfClose has peers shut their half of the socket: what they had
// asked for still comes, and the rest is an end without a close.
func TestHostileHalfClose(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		good := behave(s.open(t))
		large := strings.Repeat("owed ", 100*kib) // binary, as in TestLinger
		for name, last := range map[string][]byte{
			"between messages": nil, "within a header": {finText}, "within a long header": frame(finText, large)[:9],
			"within a frame": frame(finText, "hello")[:8], "within a message": frame(text, "hello"), "within a ping": frame(finPing, "p")[:6],
		} {
			p := s.open(t)
			p.SendBytes(frame(finText, "1"), frame(finBinary, large), frame(finPing, "2"), last)
			if err := closeWrite(p.Conn); err != nil {
				t.Fatal(err)
			}
			var messages []websockettest.Frame
			for range 3 {
				if f := p.Next(); f != websockettest.Pong("2") { // which a callback that takes long does not hold up
					messages = append(messages, f)
				}
			}
			if !slices.Equal(messages, []websockettest.Frame{websockettest.Text("1"), websockettest.Binary(large)}) {
				t.Errorf("%s: got %v", name, messages)
			}
			p.WantEnd()
			if got := <-ends; got.Code != 1006 || !strings.Contains(fmt.Sprint(got.Err), "hung up") {
				t.Errorf("%s: ended with %+v", name, got)
			}
			good.served()
		}
		good.closes()
		<-ends
		s.wantEmpty(t)
		// Reading pauses if the large message has to wait for a callback that takes long.
		wantStats(t, s.Server, websocket.Stats{Stats: protocol.Stats{Accepted: 7}, Pauses: s.Server.Stats().Pauses})
		if left := websocket.Left(s.Server); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}
