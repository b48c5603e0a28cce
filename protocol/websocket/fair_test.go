package websocket_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestReadsWhileOthersSend hears a peer that reads more slowly than others send to
// it: whoever reads does not write for them without end.
func TestReadsWhileOthersSend(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"Connect", "Receive"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				heard := make(chan struct{})
				app := &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
					if from == "Connect" {
						pour(c)
					}
					return nil
				}, OnReceive: func(_ context.Context, c *protocol.Conn, m protocol.Message) error {
					if m.Text() == "stop" {
						close(heard)
					} else {
						pour(c)
					}
					return nil
				}}
				p := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{
					QueueBytes: 8 << 10, Overflow: protocol.OverflowDropOldest,
				}}).open(t)
				if from == "Receive" {
					p.SendText("go")
				}
				go p.sips()
				<-time.After(time.Second)
				go p.Conn.Write(frame(finText, "stop")) //nolint:errcheck // it is heard
				select {
				case <-heard:
				case <-time.After(time.Minute):
					t.Error("not heard within a minute")
				}
				p.Conn.Close()
				<-time.After(time.Minute) // all are done
			})
		})
	}
}

// pour sends a lot, from elsewhere and at once.
func pour(c *protocol.Conn) {
	more := func() { _ = c.Send(context.Background(), protocol.Text(strings.Repeat("p", 1000))) }
	go func() {
		for c.Context().Err() == nil {
			more()
			<-time.After(time.Millisecond)
		}
	}()
	for range 6 {
		more()
	}
}

// sips reads a tenth of what pour sends.
func (p *peer) sips() {
	for {
		if _, err := p.Conn.Read(make([]byte, 100)); err != nil {
			return
		}
		<-time.After(time.Millisecond)
	}
}

// TestAnswersWithinALongTurn sends the answers to many pipelined messages, of which
// none takes long, before all of them are dealt with.
func TestAnswersWithinALongTurn(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			<-time.After(3 * time.Millisecond)
			return c.Send(ctx, m)
		}}
		p := serveOver(t, via, app, nil).open(t)
		synctest.Wait()
		begun := time.Now()
		p.SendBytes([]byte(strings.Repeat(string(frame(finText, "x")), 400)))
		p.WantText("x")
		within(t, "first answer", time.Since(begun), 3*time.Millisecond, 20*time.Millisecond)
		for range 399 {
			p.WantText("x")
		}
		p.closes()
	})
}

// TestBlockWithinATurn lets a callback that fills a small queue go on at once.
func TestBlockWithinATurn(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
			for range 100 {
				if err := c.Send(ctx, protocol.Text(strings.Repeat("p", 1000))); err != nil {
					return err
				}
			}
			return nil
		}}
		p := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: 32 << 10, Overflow: protocol.OverflowBlock}}).open(t)
		synctest.Wait()
		begun := time.Now()
		p.SendText("go")
		for range 100 {
			p.Next()
		}
		if d := time.Since(begun); d > 0 {
			t.Errorf("took %v", d)
		}
		p.closes()
	})
}

// TestViolationBeforeAHalfClose still gets what it is owed, and the reason.
func TestViolationBeforeAHalfClose(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app, echoed := echoes()
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		large := strings.Repeat("owed ", 200<<10)
		nc := s.dial()
		if err := setReadBuffer(nc, 64<<10); err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, nc)
		p.Upgrade(websockettest.Request("/"))
		p.SendBytes(frame(finBinary, large))
		if via.loops { // a callback that a loop leaves behind, after a millisecond, is overtaken by a violation
			<-echoed
		}
		p.SendBytes(frame(0xff, ""))
		if err := closeWrite(nc); err != nil {
			t.Fatal(err)
		}
		<-ends // all of it has been read
		p.Want(websockettest.Binary(large))
		p.WantClose(1002)
		p.WantEnd()
	})
}
