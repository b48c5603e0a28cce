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
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// twoRoutes is a server whose route /limited/ has limits of its own, and / has not.
// What is said to be blocked blocks the callback until the connection ends.
func twoRoutes(t *testing.T, via carrier, server, route protocol.Limits) (s *server, opened <-chan *protocol.Conn, ends <-chan protocol.CloseStatus) {
	t.Helper()
	app, opened := conns()
	echo := app.OnReceive
	app.OnReceive = func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
		if m.Text() == "block" {
			<-ctx.Done()
			return nil
		}
		return echo(ctx, c, m)
	}
	ends = app.Ends()
	s = serveOver(t, via, router.NewURLRouter(
		router.RePath(`^limited/$`, router.Use(app, router.Limit(route))),
		router.RePath(`^$`, app),
	), &websocket.Options{Limits: server, PingInterval: -1})
	return s, opened, ends
}

// play is what a peer and the application do on a route. It returns what became of
// it, and leaves the connection open or ended by the server.
type play func(t *testing.T, p *peer, c *protocol.Conn) string

// says writes frames, and returns the server's answer: a message, or the reason of
// a close.
func says(frames ...[]byte) play {
	return func(t *testing.T, p *peer, _ *protocol.Conn) string {
		t.Helper()
		p.SendBytes(frames...)
		f := p.Next()
		for f.First == finPong {
			f = p.Next()
		}
		if f.First == finClose {
			return "close " + f.Payload[2:]
		}
		return f.Payload
	}
}

// dribbles sends a message of which a byte comes each second.
func dribbles(t *testing.T, p *peer, _ *protocol.Conn) string {
	t.Helper()
	var writing sync.WaitGroup
	defer writing.Wait()
	defer p.Conn.Close()
	p.Patience = -1
	writing.Go(func() {
		for _, b := range frame(finText, strings.Repeat("m", 30)) {
			<-time.After(time.Second)
			if _, err := p.Conn.Write([]byte{b}); err != nil {
				return
			}
		}
	})
	f, err := p.Read()
	if err != nil {
		t.Fatal(err)
	}
	if f.First == finClose {
		return "close " + f.Payload[2:]
	}
	return f.Payload
}

// pushes has the application send messages of 100 bytes, which are not read before.
func pushes(t *testing.T, p *peer, c *protocol.Conn) string {
	t.Helper()
	m, sent := strings.Repeat("m", 100), 0
	var err error
	for err == nil && sent < 15 {
		if err = c.Send(t.Context(), protocol.Text(m)); err == nil {
			sent++
		}
	}
	for range sent {
		p.WantText(m)
	}
	switch {
	case err == nil:
		return "all sent"
	case errors.Is(err, protocol.ErrDropped):
		return "dropped"
	}
	p.WantClose(1013)
	return "closed"
}

// posts has nine events wait behind a callback that blocks.
func posts(t *testing.T, p *peer, c *protocol.Conn) string {
	t.Helper()
	p.SendText("block")
	synctest.Wait()
	for range 9 {
		if err := c.Post(protocol.SendType.New(protocol.Text("x"))); err != nil {
			p.WantClose(1013)
			return "busy"
		}
	}
	return "all wait"
}

// readAhead says five messages while a callback blocks.
func readAhead(t *testing.T, p *peer, c *protocol.Conn) string {
	t.Helper()
	p.SendText("block")
	for range 5 {
		_ = p.Conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := p.Conn.Write(frame(finText, "x")); err != nil {
			c.Close(1000, "") // or the callback would be waited for
			return "not read"
		}
	}
	return "all read"
}

// TestLimitPerRoute plays on a route with limits of its own and on one with the
// server's.
func TestLimitPerRoute(t *testing.T) {
	t.Parallel()
	eleven := strings.Repeat("m", 11)
	pings := []byte(strings.Repeat(string(frame(finPing, "")), 3))
	rows := []struct {
		at             testkit.Line
		name           string
		server, route  protocol.Limits
		play           play
		limited, plain string
	}{
		{testkit.Here(), "MaxMessage", protocol.Limits{}, protocol.Limits{MaxMessage: 10}, says(frame(finText, eleven)), "close message too big", eleven},
		{testkit.Here(), "MaxMessage, larger", protocol.Limits{MaxMessage: 10}, protocol.Limits{MaxMessage: 11}, says(frame(finText, eleven)), eleven, "close message too big"},
		{testkit.Here(), "MaxMessage, in frames", protocol.Limits{}, protocol.Limits{MaxMessage: 10}, says(frame(text, eleven[:6]), frame(finCont, eleven[6:])), "close message too big", eleven},
		{testkit.Here(), "MaxFrame", protocol.Limits{}, protocol.Limits{MaxFrame: 10}, says(frame(finText, eleven)), "close message too big", eleven},
		{testkit.Here(), "MaxFrame, and more in two", protocol.Limits{MaxFrame: 5}, protocol.Limits{MaxFrame: 6}, says(frame(text, eleven[:6]), frame(finCont, eleven[6:])), eleven, "close message too big"},
		{testkit.Here(), "MaxFragments", protocol.Limits{}, protocol.Limits{MaxFragments: 1}, says(frame(text, eleven[:6]), frame(finCont, eleven[6:])), "close message in too many frames", eleven},
		{testkit.Here(), "MaxControlFrames", protocol.Limits{}, protocol.Limits{MaxControlFrames: 2}, says(frame(text, eleven[:6]), pings, frame(finCont, eleven[6:])), "close too many control frames", eleven},
		{testkit.Here(), "MinRate", protocol.Limits{MinRate: 1}, protocol.Limits{MinRate: 2000}, dribbles, "close message sent too slowly", strings.Repeat("m", 30)},
		{testkit.Here(), "MinRate, lower", protocol.Limits{MinRate: 2000}, protocol.Limits{MinRate: 1}, dribbles, strings.Repeat("m", 30), "close message sent too slowly"},
		{testkit.Here(), "ReadAhead", protocol.Limits{}, protocol.Limits{ReadAhead: 1}, readAhead, "not read", "all read"},
		{testkit.Here(), "ReadAhead, larger", protocol.Limits{ReadAhead: 1}, protocol.Limits{ReadAhead: 1000}, readAhead, "all read", "not read"},
		{testkit.Here(), "QueueEvents", protocol.Limits{}, protocol.Limits{QueueEvents: 2}, posts, "busy", "all wait"},
		{testkit.Here(), "QueueBytes", protocol.Limits{}, protocol.Limits{QueueBytes: 300}, pushes, "closed", "all sent"},
		{testkit.Here(), "QueueBytes, larger", protocol.Limits{QueueBytes: 300}, protocol.Limits{QueueBytes: 3000}, pushes, "all sent", "closed"},
		{testkit.Here(), "Overflow", protocol.Limits{QueueBytes: 300}, protocol.Limits{Overflow: protocol.OverflowDropNewest}, pushes, "dropped", "closed"},
		{testkit.Here(), "Overflow, back to the default", protocol.Limits{QueueBytes: 300, Overflow: protocol.OverflowDropNewest}, protocol.Limits{Overflow: protocol.OverflowClose}, pushes, "closed", "dropped"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				s, opened, ends := twoRoutes(t, via, row.server, row.route)
				for path, want := range map[string]string{"/limited/": row.limited, "/": row.plain} {
					p := s.peer(t)
					p.Upgrade(websockettest.Request(path))
					if got := row.play(t, p, settled(opened)); got != want {
						t.Errorf("%s: %s: got %q, want %q", row.at, path, got, want)
					}
					p.Conn.Close()
					<-ends
				}
			})
		})
	}
}

// TestLimitSharesTheBudget: what a route's queues hold counts for all together.
func TestLimitSharesTheBudget(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		ends := app.Ends()
		s := serveOver(t, via, router.Use(app, router.Limit(protocol.Limits{QueueBytes: 2 << 20, Overflow: protocol.OverflowDropNewest})),
			&websocket.Options{Capacity: websocket.Capacity{QueueBytes: 64 << 10}})
		p := s.open(t)
		c := settled(opened)
		for range 2 { // the first one is being written
			if err := c.Send(t.Context(), protocol.Text(strings.Repeat("m", 50<<10))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := c.Send(t.Context(), protocol.Text(strings.Repeat("m", 50<<10))); !errors.Is(err, protocol.ErrDropped) {
				t.Errorf("got %v, want ErrDropped", err)
			}
			p.Next()
			synctest.Wait()
		}
		if n := s.Stats().QueuesFull; n != 2 {
			t.Errorf("QueuesFull = %d, want 2", n)
		}
		p.Conn.Close()
		<-ends
		synctest.Wait()
		if left := websocket.Left(s.Server); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}

// TestTraffic counts payloads, and neither pings nor closes, also after the end.
func TestTraffic(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		ends := app.Ends()
		p := serveOver(t, via, app, nil).open(t)
		c := settled(opened)
		p.SendBytes(frame(text, "in"), frame(finPing, "not this"), frame(finCont, " pieces"))
		p.Want(websockettest.Pong("not this"))
		p.WantText("in pieces")
		large := strings.Repeat("m", 5000)
		for _, m := range []string{"small", large} { // a copy, and a reference
			if err := c.Offer(protocol.Prepare(protocol.Text(m))); err != nil {
				t.Fatal(err)
			}
			p.WantText(m)
		}
		p.closes()
		<-ends
		want := protocol.Traffic{MessagesIn: 1, BytesIn: 9, MessagesOut: 3, BytesOut: 9 + 5 + 5000}
		if got := c.Traffic(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if err := c.Send(t.Context(), protocol.Text("too late")); !errors.Is(err, protocol.ErrClosed) {
			t.Error(err)
		}
		if got := c.Traffic(); got != want {
			t.Errorf("after a send that came too late: got %+v, want %+v", got, want)
		}
	})
}
