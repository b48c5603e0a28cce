package websocket_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// conns makes an application that hands out its connections and echoes.
func conns() (app *fakes.Handler, opened <-chan *protocol.Conn) {
	app = fakes.Echo()
	out := make(chan *protocol.Conn, 10)
	app.OnConnect = func(_ context.Context, c *protocol.Conn) error {
		out <- c
		return nil
	}
	return app, out
}

// settled takes the next connection when nothing of its handshake is left to do.
// It is for bubbles.
func settled(opened <-chan *protocol.Conn) *protocol.Conn {
	c := <-opened
	synctest.Wait()
	return c
}

// untilCut waits until the server has closed the socket, without reading, and
// returns how long that took.
func (p *peer) untilCut(begun time.Time) time.Duration {
	p.tb.Helper()
	for {
		_ = p.Conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
		if _, err := p.Conn.Write([]byte{0}); errors.Is(err, io.ErrClosedPipe) {
			return time.Since(begun)
		}
		<-time.After(10 * time.Millisecond)
		if time.Since(begun) > time.Hour {
			p.tb.Fatal("not cut within an hour")
		}
	}
}

func wantAbout(t *testing.T, got, want time.Duration) {
	t.Helper()
	if got < want || got > want+50*time.Millisecond {
		t.Errorf("the socket was closed after %v, want %v", got, want)
	}
}

// TestCloseTimeout cuts a peer that never answers our close, whether it reads
// it or not.
func TestCloseTimeout(t *testing.T) {
	t.Parallel()
	for name, reads := range map[string]bool{"reads": true, "reads nothing": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				app, opened := conns()
				ends := app.Ends()
				p := serveOver(t, via, app, &websocket.Options{CloseTimeout: 4 * time.Second}).open(t)
				c, begun := settled(opened), time.Now()
				c.Close(4000, "go")
				if reads {
					p.Want(websockettest.Close(4000, "go"))
				}
				if s := <-ends; s.Code != 4000 || time.Since(begun) != 0 {
					t.Errorf("ended with %+v after %v", s, time.Since(begun))
				}
				wantAbout(t, p.untilCut(begun), 4*time.Second)
			})
		})
	}
}

// TestCloseTimeoutWhileReplying cuts a peer that reads nothing although we owe
// it an answer: the goroutine that would read its close is the one that writes.
func TestCloseTimeoutWhileReplying(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		p := serveOver(t, via, app, &websocket.Options{CloseTimeout: 4 * time.Second, WriteTimeout: time.Minute}).open(t)
		p.SendText("the answer to this is never read")
		c, begun := settled(opened), time.Now()
		c.Close(4000, "go")
		wantAbout(t, p.untilCut(begun), 4*time.Second)
	})
}

// TestCloseTimeoutStopsTalk cuts a peer that goes on talking after our close.
func TestCloseTimeoutStopsTalk(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		s := serveOver(t, via, app, &websocket.Options{CloseTimeout: 4 * time.Second})
		p := s.open(t)
		c, begun := settled(opened), time.Now()
		c.Close(4000, "go")
		p.Want(websockettest.Close(4000, "go"))
		said := int64(0)
		for {
			if _, err := p.Conn.Write(frame(finText, "and another thing")); err != nil {
				break
			}
			said++
			<-time.After(10 * time.Millisecond)
		}
		wantAbout(t, time.Since(begun), 4*time.Second)
		if n := s.Stats().MessagesUnread; n < said-1 {
			t.Errorf("MessagesUnread = %d, want %d", n, said)
		}
	})
}

// TestCloseTimeoutWhileReading cuts a peer that reads what was queued before our
// close, but does not get through with it: its progress does not prolong that.
func TestCloseTimeoutWhileReading(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		p := serveOver(t, via, app, &websocket.Options{CloseTimeout: 4 * time.Second, WriteTimeout: time.Second}).open(t)
		c := settled(opened)
		if err := c.Send(t.Context(), protocol.Text(strings.Repeat("a", 1<<20))); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		c.Close(4000, "go")
		b := make([]byte, 16<<10)
		var err error
		for err == nil {
			<-time.After(100 * time.Millisecond)
			_ = p.Conn.SetReadDeadline(time.Now().Add(patience))
			_, err = io.ReadFull(p.Conn, b)
		}
		if d := time.Since(begun); d < 3900*time.Millisecond || d > 4200*time.Millisecond {
			t.Errorf("cut after %v, want 4s", d)
		}
	})
}

// TestWriteTimeout cuts a peer that does not read, whoever writes.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	for name, inCallback := range map[string]bool{"from elsewhere": false, "from the callback": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				app, opened := conns()
				ends := app.Ends()
				p := serveOver(t, via, app, &websocket.Options{WriteTimeout: 6 * time.Second}).open(t)
				begun := time.Now()
				if inCallback {
					p.SendText("hello")
				} else if err := settled(opened).Send(t.Context(), protocol.Text("hello")); err != nil {
					t.Fatal(err)
				}
				if s := <-ends; s.Code != protocol.CloseAbnormal || s.Err == nil {
					t.Errorf("ended with %+v, want 1006 and why", s)
				}
				if d := time.Since(begun); d < 4*time.Second || d > 6*time.Second {
					t.Errorf("cut after %v, want 4 to 6s", d)
				}
				synctest.Wait()
				if _, err := p.Conn.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("the socket is not closed: %v", err)
				}
			})
		})
	}
}

// TestWriteTimeoutIsAboutProgress leaves a peer alone that takes a large message
// slowly: its options say that a write is cut which makes no progress.
func TestWriteTimeoutIsAboutProgress(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		p := serveOver(t, via, app, &websocket.Options{WriteTimeout: 3 * time.Second}).open(t)
		large := strings.Repeat("a", 1<<20)
		if err := settled(opened).Send(t.Context(), protocol.Text(large)); err != nil {
			t.Fatal(err)
		}
		got, b := 0, make([]byte, 64<<10)
		for got < len(large)+10 {
			<-time.After(500 * time.Millisecond)
			_ = p.Conn.SetReadDeadline(time.Now().Add(patience))
			n, err := io.ReadFull(p.Conn, b[:min(len(b), len(large)+10-got)])
			if got += n; err != nil {
				t.Fatalf("cut after %d bytes although the peer takes 128 KiB a second: %v", got, err)
			}
		}
		p.SendText("well")
		p.WantText("well")
		p.closes()
	})
}

// TestIdleIsNotCut makes sure that no deadline of a write or of the handshake
// is left behind.
func TestIdleIsNotCut(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		p := serveOver(t, via, fakes.Echo(), &websocket.Options{PingInterval: -1}).open(t)
		for range 3 {
			<-time.After(time.Hour)
			p.SendText("still there?")
			p.WantText("still there?")
		}
		p.closes()
	})
}
