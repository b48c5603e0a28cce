package websocket_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// The defaults that the documentation names.
const (
	maxMessage   = 1 << 20
	maxFragments = 100_000
	maxControls  = 1000
	minRate      = 240
)

// wantCode reads up to a close with code, before which so many pongs have come,
// and nothing else.
func (p *peer) wantCode(code protocol.CloseCode, pongs int) {
	p.tb.Helper()
	if gotCode, gotPongs, others := p.untilClose(); gotCode != code || gotPongs != pongs || others != 0 {
		p.tb.Errorf("close %d after %d pongs and %d others, want %d after %d pongs", gotCode, gotPongs, others, code, pongs)
	}
}

// pings sends n of them at once and waits for their pongs.
func (p *peer) pings(n int) {
	p.tb.Helper()
	p.floods(masked(finPing, "p", n), 1)
	for range n {
		p.Want(websockettest.Pong("p"))
	}
}

func tooBig() websocket.Stats  { return websocket.Stats{TooBig: 1} }
func tooMany() websocket.Stats { return websocket.Stats{TooManyFrames: 1} }

// messageAttacks break the bounds of messages, by default and by one: what they
// do first is just within.
func messageAttacks() map[string]*attack {
	return map[string]*attack{
		"MaxMessage, announced": {
			do: func(_ *siege, p *peer, _ *protocol.Conn) {
				large := strings.Repeat("m", maxMessage)
				p.floods(frame(finText, large), 1)
				p.WantText(large)
				p.SendBytes(frame(finText, large+"!")[:14]) // the header is enough
				p.wantCode(1009, 0)
			},
			code: 1009, stats: tooBig(),
		},
		"MaxMessage, in frames": {
			do: func(_ *siege, p *peer, _ *protocol.Conn) {
				half := strings.Repeat("m", maxMessage/2)
				p.floods(bytes.Join([][]byte{frame(text, half), frame(finPing, "p"), frame(cont, half), frame(finCont, "!")}, nil), 1)
				p.wantCode(1009, 1)
			},
			code: 1009, stats: tooBig(),
		},
		"MaxMessage, own": {
			opts: websocket.Options{Limits: protocol.Limits{MaxMessage: 20}},
			do: func(_ *siege, p *peer, _ *protocol.Conn) {
				p.SendText(strings.Repeat("m", 20))
				p.WantText(strings.Repeat("m", 20))
				p.SendBytes(frame(binaryOp, strings.Repeat("m", 20)), frame(cont, ""), frame(cont, "!"))
				p.wantCode(1009, 0)
			},
			code: 1009, stats: tooBig(),
		},
		"MaxFrame": {
			opts: websocket.Options{Limits: protocol.Limits{MaxFrame: 20}},
			do: func(_ *siege, p *peer, _ *protocol.Conn) {
				part := strings.Repeat("f", 20)
				p.SendBytes(frame(text, part), frame(finCont, part))
				p.WantText(part + part)
				p.SendBytes(frame(text, part), frame(cont, part+"!"))
				p.wantCode(1009, 0)
			},
			code: 1009, stats: tooBig(),
		},
		"MaxFragments": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			whole := bytes.Join([][]byte{frame(text, "f"), masked(cont, "f", maxFragments-2), frame(finCont, "f")}, nil)
			p.floods(whole, 1)
			p.WantText(strings.Repeat("f", maxFragments))
			p.floods(append(frame(text, "f"), masked(cont, "f", maxFragments)...), 1)
			p.wantCode(1008, 0)
		}, code: 1008, stats: tooMany()},
		"MaxFragments, empty ones": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(frame(text, ""))
			p.floods(masked(cont, "", 1000), endless)
			p.wantCode(1008, 0)
		}, code: 1008, stats: tooMany()},
		"MaxFragments, own": {
			opts: websocket.Options{Limits: protocol.Limits{MaxFragments: 3}},
			do: func(_ *siege, p *peer, _ *protocol.Conn) {
				for range 2 { // it counts anew
					p.SendBytes(frame(text, "a"), frame(cont, "b"), frame(finPing, "p"), frame(finPing, "p"), frame(finCont, "c"))
					p.Want(websockettest.Pong("p"))
					p.Want(websockettest.Pong("p"))
					p.WantText("abc")
				}
				p.SendBytes(frame(text, "a"), frame(cont, "b"), frame(cont, "c"), frame(finCont, "d"))
				p.wantCode(1008, 0)
			},
			code: 1008, stats: tooMany(),
		},
	}
}

// controlAttacks break MaxControlFrames.
func controlAttacks() map[string]*attack {
	return map[string]*attack{
		"pings within a message": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(frame(text, "he"))
			p.pings(maxControls)
			p.SendBytes(frame(finCont, "llo"))
			p.WantText("hello")
			p.SendBytes(frame(text, "he"))
			p.floods(masked(finPing, "p", maxControls), endless)
			p.wantCode(1008, maxControls)
		}, code: 1008, stats: tooMany()},
		"pings within a message, over minutes": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(frame(text, "m"))
			for range 4 {
				p.pings(maxControls / 4)
				<-time.After(3 * time.Second) // fast enough for MinRate
			}
			p.Send(websockettest.Ping("one more"))
			p.wantCode(1008, 0)
		}, code: 1008, stats: tooMany()},
		"pings between messages": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			for range 3 {
				p.pings(maxControls)
				<-time.After(6 * time.Second) // a look
			}
			p.floods(masked(finPing, "p", maxControls), endless)
			p.wantCode(1008, maxControls)
		}, code: 1008, stats: tooMany()},
		"pongs between messages": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.floods(masked(finPong, "p", maxControls), 1)
			p.SendText("so far so good")
			p.WantText("so far so good")
			p.floods(masked(finPong, "p", maxControls), endless)
			p.wantCode(1008, 0)
		}, code: 1008, stats: tooMany()},
		"own": {
			opts: websocket.Options{Limits: protocol.Limits{MaxControlFrames: 2}},
			do: func(_ *siege, p *peer, _ *protocol.Conn) {
				p.pings(2)
				p.SendText("counts anew")
				p.WantText("counts anew")
				p.pings(2)
				p.Send(websockettest.Ping("?"))
				p.wantCode(1008, 0)
			},
			code: 1008, stats: tooMany(),
		},
	}
}

// TestHostileMessages has messages come in ways that exhaust memory or time.
func TestHostileMessages(t *testing.T) {
	t.Parallel()
	for _, attacks := range []map[string]*attack{messageAttacks(), controlAttacks(), ruleBreakers()} {
		for name, a := range attacks {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				withstand(t, a)
			})
		}
	}
}

// ruleBreakers are counted as what they are; TestDecision28_CloseReachesThePeer
// has them all.
func ruleBreakers() map[string]*attack {
	return map[string]*attack{
		"not masked": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes([]byte{finText, 1, 'a'})
			p.wantCode(1002, 0)
		}, code: 1002, stats: websocket.Stats{Violations: 1}},
		"not UTF-8": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(frame(text, "\xff"))
			p.wantCode(1007, 0)
		}, code: 1007, stats: websocket.Stats{Violations: 1}},
		"bad close": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(closing(1005, ""))
			p.wantCode(1002, 0)
		}, code: 1002, stats: websocket.Stats{Violations: 1}},
		"and never goes": {do: func(_ *siege, p *peer, _ *protocol.Conn) {
			p.SendBytes(frame(finCont, "a"))
			p.wantCode(1002, 0)
			p.waitsFor(closeTimeout)
		}, code: 1002, stats: websocket.Stats{Violations: 1, CloseTimeouts: 1}},
	}
}

// TestHostileNot leaves a peer alone that pings every 20 s for a day, and never
// says anything else.
func TestHostileNot(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiege(t, via, fakes.Echo(), nil)
		p, _ := s.attacker()
		day := time.Duration(testkit.Count(24, 2)) * time.Hour
		for begun := time.Now(); time.Since(begun) < day; <-time.After(20 * time.Second) {
			p.Send(websockettest.Ping("still here"))
			p.Want(websockettest.Pong("still here")) // and no ping of ours
		}
		p.closes()
		s.ended(1000, true, nil)
		s.over(websocket.Stats{})
	})
}

// TestHostileRate sends a message a little slower than the default MinRate, and a
// little faster.
func TestHostileRate(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		rate  int
		code  protocol.CloseCode
		stats websocket.Stats
	}{
		"slower": {minRate - 10, 1008, websocket.Stats{SlowSenders: 1}},
		"faster": {minRate + 10, 0, websocket.Stats{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withstand(t, &attack{do: func(_ *siege, p *peer, _ *protocol.Conn) {
				begun := time.Now()
				go func() {
					f := frame(finBinary, strings.Repeat("r", maxMessage))
					for time.Since(begun) < 3*time.Minute {
						p.Conn.Write(f[:way.rate/2]) //nolint:errcheck // the end shows it
						f = f[way.rate/2:]
						<-time.After(500 * time.Millisecond)
					}
					p.Conn.Close()
				}()
				p.Patience = -1
				code, _, _ := p.untilClose()
				if code != way.code {
					t.Errorf("closed with %d, want %d", code, way.code)
				}
				if code != 0 {
					within(t, "closed", time.Since(begun), 68*time.Second, 12*time.Second)
				}
				p.Conn.Close()
				<-time.After(3 * time.Minute)
			}, code: max(way.code, 1006), stats: way.stats})
		})
	}
}

// TestHostileRateWaits counts no time against a message while we do not read,
// because a callback is busy.
func TestHostileRateWaits(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		release := make(chan struct{})
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			if m.Text() == "block" {
				<-release
			}
			return c.Send(ctx, m)
		}}
		s := besiege(t, via, app, &websocket.Options{Limits: protocol.Limits{ReadAhead: 1}})
		p, _ := s.attacker()
		fills := frame(finText, "fills the read-ahead")
		p.SendBytes(frame(finText, "block"), fills[:8])
		synctest.Wait() // it is known as incomplete
		p.SendBytes(fills[8:], frame(text, "incom"))
		written := p.floods(frame(finCont, "plete"), 1)
		<-time.After(10 * time.Minute)
		if len(written) != 0 {
			t.Error("we have read on")
		}
		s.good.served()
		close(release)
		for _, want := range []string{"block", "fills the read-ahead", "incomplete"} {
			p.WantText(want)
		}
		p.closes()
		s.ended(1000, true, nil)
		s.over(websocket.Stats{Pauses: 1})
	})
}
