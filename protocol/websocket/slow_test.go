package websocket_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// group is an application whose connections are all in one group of l.
func group(l *layers.Layer) protocol.Application {
	return router.Use(consumer.New(func(*consumer.Scope) consumer.Base { return consumer.Base{} },
		consumer.Groups[consumer.Base]("all")), layers.Middleware(l))
}

// TestPromise7_SlowPeerSlowsNobody has one of three in a group read nothing: the
// others get everything without delay, and it is closed, and counted.
func TestPromise7_SlowPeerSlowsNobody(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		l := new(layers.Layer)
		s := serveOver(t, via, group(l), &websocket.Options{CloseTimeout: 2 * time.Second})
		one, slow, two := s.open(t), s.open(t), s.open(t)
		synctest.Wait()
		begun := time.Now()
		for i := range 280 { // more than four times the limit
			m := strings.Repeat(string(rune('a'+i%26)), 64<<10)
			if err := l.Broadcast(t.Context(), "all", protocol.Text(m)); err != nil {
				t.Fatal(err)
			}
			one.WantText(m)
			two.WantText(m)
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("the others had to wait for %v", d)
		}
		synctest.Wait() // until the Disconnect of the slow one has returned
		if st := s.Stats(); st.SlowClosed != 1 || st.MessagesDropped == 0 || st.Open != 2 {
			t.Errorf("%+v, want one closed for being slow, and two open", st)
		}
		wantAbout(t, slow.untilCut(begun), 2*time.Second)
		one.closes()
		two.closes()
	})
}

// TestPromise7_SlowPeerFindsOut makes sure that it gets what was queued, and
// then a close that says why.
func TestPromise7_SlowPeerFindsOut(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		ends := app.Ends()
		p := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: 100}}).open(t)
		c := settled(opened)
		m := protocol.Text(strings.Repeat("m", 60))
		for range 2 { // the second one is too much, and has a second of time
			if err := c.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Second)
		if err := c.Send(t.Context(), m); !errors.Is(err, protocol.ErrSlow) || !errors.Is(err, protocol.ErrClosed) {
			t.Errorf("a third one: got %v, want ErrSlow", err)
		}
		if s := <-ends; s.Code != protocol.CloseTryAgainLater || !errors.Is(s.Err, protocol.ErrSlow) {
			t.Errorf("ended with %+v", s)
		}
		p.WantText(m.Text())
		p.WantText(m.Text())
		p.Want(websockettest.Close(1013, "reading too slowly"))
		p.SendBytes(closing(1013, ""))
		p.WantEnd()
	})
}

// TestFirstMessageFits sends one message in Connect that is as large as the
// queue: one always fits, and the answer in front of it is none.
func TestFirstMessageFits(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		m := strings.Repeat("m", 5000)
		app := &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error { return c.Send(ctx, protocol.Text(m)) }}
		s := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: len(m)}})
		p := s.open(t)
		synctest.Wait()
		if n := s.Stats().MessagesDropped; n != 0 {
			t.Fatalf("MessagesDropped = %d, want 0", n)
		}
		p.WantText(m)
		p.closes()
	})
}

func TestOverflowDropNewest(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		s := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: 100, Overflow: protocol.OverflowDropNewest}})
		p := s.open(t)
		c := settled(opened)
		m := protocol.Text(strings.Repeat("m", 60))
		if err := c.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if err := c.Send(t.Context(), m); !errors.Is(err, protocol.ErrDropped) {
			t.Errorf("a second one: got %v, want ErrDropped", err)
		}
		if n := s.Stats().MessagesDropped; n != 1 {
			t.Errorf("MessagesDropped = %d, want 1", n)
		}
		p.WantText(m.Text())
		synctest.Wait()
		if err := c.Send(t.Context(), protocol.Text("there is room again")); err != nil {
			t.Error(err)
		}
		p.WantText("there is room again")
		p.closes()
	})
}

// TestOverflowBlock has sends wait for room, in a callback and elsewhere, and
// give up with their ctx.
func TestOverflowBlock(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		const sends = 20
		app, opened := conns()
		m := protocol.Text(strings.Repeat("m", 60))
		sent := make(chan error, sends)
		app.OnReceive = func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
			for range sends {
				sent <- c.Send(ctx, m)
			}
			return nil
		}
		p := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: 100, Overflow: protocol.OverflowBlock}}).open(t)
		c := settled(opened)
		p.SendText("send many")
		<-time.After(time.Second)
		if n := len(sent); n > 2 {
			t.Errorf("%d sends have returned although nobody reads", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Send(ctx, m); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a send whose time is over: %v", err)
		}
		for range sends {
			p.WantText(m.Text())
		}
		for range sends {
			if err := <-sent; err != nil {
				t.Error(err)
			}
		}
		p.closes()
	})
}

// TestOverflowBlockEnds makes sure that a send which waits for room returns when
// the connection ends.
func TestOverflowBlockEnds(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		p := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: 1, Overflow: protocol.OverflowBlock}}).open(t)
		c := settled(opened)
		sent := make(chan error, 1)
		go func() {
			for {
				if err := c.Send(context.Background(), protocol.Text("m")); err != nil {
					sent <- err
					return
				}
			}
		}()
		synctest.Wait()
		p.Conn.Close()
		if err := <-sent; !errors.Is(err, protocol.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}
