package websocket_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestLinger has a peer close, and go on sending: that must not reset the
// connection, which would eat what the peer has not read yet (RFC 6455 section
// 7.1.1).
func TestLinger(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		// Binary: the race detector makes the check of a text this large so slow that the
		// close is read while the callback is still busy, and too late for an answer.
		large := strings.Repeat("owed ", 200<<10)
		for range 5 {
			nc := s.dial()
			if err := setReadBuffer(nc, 64<<10); err != nil {
				t.Fatal(err)
			}
			p := newPeer(t, nc)
			p.Upgrade(websockettest.Request("/"))
			p.SendBytes(frame(finBinary, large))
			p.SendBytes(closing(1000, ""))
			<-ends // it has heard the close
			for range 20 {
				p.Send(websockettest.Ping("behind the close"))
			}
			p.Want(websockettest.Binary(large))
			p.Want(websockettest.Close(1000, ""))
			p.WantEnd()
			nc.Close()
		}
	})
}

// TestLingerEnds waits a short while, and no longer, for a peer that has closed and
// does not hang up.
func TestLingerEnds(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := serveOver(t, via, app, &websocket.Options{CloseTimeout: time.Hour})
		p := s.open(t)
		p.SendBytes(closing(1000, ""))
		p.Want(websockettest.Close(1000, ""))
		p.WantEnd()
		if end := <-ends; end.Code != protocol.CloseNormal || !end.Remote {
			t.Errorf("ended with %+v", end)
		}
		s.wantEmpty(t)
		if n := s.Stats().CloseTimeouts; n != 0 {
			t.Errorf("CloseTimeouts is %d, although the peer has answered", n)
		}
	})
}

// TestLentMessageIsComplete makes sure that a message is not taken for incomplete,
// and too slow, because its callback had blocked.
func TestLentMessageIsComplete(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			<-time.After(100 * time.Millisecond)
			return c.Send(ctx, protocol.Text("heard"))
		}}
		s := serveOver(t, via, app, &websocket.Options{PingInterval: -1})
		p := s.open(t)
		p.SendText(strings.Repeat("a", 6000)) // more than one read
		p.WantText("heard")
		<-time.After(10 * time.Minute)
		p.SendText("still there?")
		p.WantText("heard")
		p.closes()
	})
}

// panicking is a ResponseWriter of middleware that takes for granted what is
// behind it.
type panicking struct{ http.ResponseWriter }

func (w panicking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.ResponseWriter.(interface{ Nope() }).(http.Hijacker).Hijack()
}

func (w panicking) Flush() { w.ResponseWriter.(interface{ Nope() }).Nope() }

// TestPromise4_MiddlewareThatPanics costs the request, and nothing stays behind.
func TestPromise4_MiddlewareThatPanics(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		var refuse error
		app := &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return refuse }}
		s := newServer(app, &websocket.Options{Compression: &websocket.Compression{ClientTakeover: true}})
		s.listenOver(t, via, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(panicking{w}, r) }))
		if a := s.peer(t).Handshake(websockettest.Request("/", deflateOffer)); a.Status != http.StatusInternalServerError {
			t.Errorf("Hijack: status %d, want 500", a.Status)
		}
		if c := s.Stats().Compression; c.Conns != 0 || c.WindowBytes != 0 {
			t.Errorf("Hijack: %+v is left", c)
		}
		s.wantLog(t, "a middleware in front")
		refuse = protocol.NewRejectError(http.StatusForbidden, "no")
		if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != http.StatusForbidden {
			t.Errorf("Flush: status %d, want 403", a.Status)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("something is left: %v", err)
		}
	})
}

// TestPromise9_ShutdownCutsWriters cuts the socket of a connection that is over but
// for a peer which does not read.
func TestPromise9_ShutdownCutsWriters(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app, opened := conns()
		ends := app.Ends()
		s := serveOver(t, via, app, &websocket.Options{CloseTimeout: time.Hour})
		p := s.open(t)
		if err := settled(opened).Send(t.Context(), protocol.Text(strings.Repeat("x", 500<<10))); err != nil {
			t.Fatal(err)
		}
		p.SendBytes(closing(1000, ""))
		<-ends
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		begun := time.Now()
		s.wantEmpty(t)
		if d := time.Since(begun); d != 0 {
			t.Errorf("the socket was there for %v after Shutdown had returned", d)
		}
	})
}

// TestFindThatPanics leaves the decision to Open.
func TestFindThatPanics(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := struct {
			*fakes.Handler
			nowhere
		}{Handler: fakes.Echo()}
		p := serveOver(t, via, app, nil).open(t)
		p.SendText("x")
		p.WantText("x")
		p.closes()
	})
}

type nowhere struct{}

func (nowhere) Find(*protocol.Scope) error { panic("lost") }
