package websocket_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestPromise9_Shutdown says 1001 to everybody, runs every Disconnect, refuses
// newcomers, and returns.
func TestPromise9_Shutdown(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		const peers = 23
		var farewells atomic.Int32
		app := fakes.Echo()
		app.OnDisconnect = func(ctx context.Context, _ *protocol.Conn, s protocol.CloseStatus) {
			if _, has := ctx.Deadline(); s.Code != protocol.CloseGoingAway || s.Remote || !has || ctx.Err() != nil {
				t.Errorf("Disconnect with %+v, and a ctx with a deadline: %v, %v", s, has, ctx.Err())
			}
			farewells.Add(1)
		}
		s := serveOver(t, via, app, nil)
		var all sync.WaitGroup
		for range peers {
			p := s.open(t)
			all.Go(func() {
				p.WantClose(1001)
				if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
					t.Errorf("a newcomer: %d with %v, want 503", a.Status, a.Header)
				}
				p.closesBack(1001)
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if n := farewells.Load(); n != peers {
			t.Errorf("%d of %d Disconnects have run when Shutdown returned", n, peers)
		}
		all.Wait()
		if st := s.Stats(); st.Open != 0 || st.Accepted != peers || st.Refused != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestPromise9_ShutdownWithAStuckCallback returns when its ctx ends, and says
// how many connections are left.
func TestPromise9_ShutdownWithAStuckCallback(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		release := make(chan struct{})
		app := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error { <-release; return nil }}
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		p, good := s.open(t), s.open(t)
		p.SendText("block")
		cut := make(chan time.Time, 1)
		go func() { p.WantClose(1001); p.WantEnd(); cut <- time.Now() }()
		go func() { good.WantClose(1001); good.closesBack(1001) }()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		err := s.Shutdown(ctx)
		if d := time.Since(begun); d != 3*time.Second {
			t.Errorf("Shutdown took %v, want 3s", d)
		}
		if d := (<-cut).Sub(begun); d != 3*time.Second {
			t.Errorf("the socket was cut after %v, want 3s", d)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 connections") {
			t.Errorf("got %v", err)
		}
		if got := <-ends; got.Code != 1001 {
			t.Errorf("the good one ended with %+v", got)
		}
		close(release)
		if got := <-ends; got.Code != 1001 {
			t.Errorf("the stuck one ended with %+v", got)
		}
		synctest.Wait()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("nothing is stuck any more: %v", err)
		}
	})
}

// TestPromise9_ShutdownWithDeafPeers cuts those that do not answer after
// CloseTimeout, and calls that a success.
func TestPromise9_ShutdownWithDeafPeers(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, fakes.Echo(), &websocket.Options{CloseTimeout: 2 * time.Second})
		for range 3 {
			s.open(t)
		}
		synctest.Wait()
		begun := time.Now()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(begun); d < 2*time.Second || d > 2100*time.Millisecond {
			t.Errorf("Shutdown took %v, want 2s", d)
		}
	})
}

// TestPromise9_ShutdownDuringAHandshake refuses it with 503.
func TestPromise9_ShutdownDuringAHandshake(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		for _, name := range []string{"obeys its ctx", "goes its way", "accepts all the same"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				entered := make(chan struct{})
				app := &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
					close(entered)
					<-ctx.Done()
					switch name {
					case "obeys its ctx":
						return ctx.Err()
					case "goes its way":
						return nil
					}
					return c.Accept(nil)
				}}
				s := serveOver(t, via, app, nil)
				p := s.peer(t)
				p.SendBytes([]byte(websockettest.Request("/")))
				<-entered
				done := make(chan error, 1)
				go func() { done <- s.Shutdown(context.Background()) }()
				if a := p.ReadAnswer(); a.Status != http.StatusServiceUnavailable {
					t.Errorf("status %d, want 503", a.Status)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestPromise9_ShutdownBehindAdmission comes when a handshake has been let in and
// its connection is not on the list yet.
func TestPromise9_ShutdownBehindAdmission(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		var s *server
		app := &fakes.Handler{OnConnect: func(ctx context.Context, _ *protocol.Conn) error { return ctx.Err() }}
		s = serveOver(t, via, app, &websocket.Options{KeepContext: func(r *http.Request) context.Context {
			if err := s.Shutdown(r.Context()); err != nil {
				t.Error(err)
			}
			return r.Context()
		}})
		if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", a.Status)
		}
	})
}

// TestPromise9_ShutdownTwice has several callers wait for the same end.
func TestPromise9_ShutdownTwice(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, fakes.Echo(), nil)
		p := s.open(t)
		done := make(chan error, 3)
		for range 3 {
			go func() { done <- s.Shutdown(t.Context()) }()
		}
		synctest.Wait()
		p.WantClose(1001)
		<-time.After(time.Second)
		if n := len(done); n != 0 {
			t.Errorf("%d have returned although a connection is open", n)
		}
		p.closesBack(1001)
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestPromise9_ShutdownWaitsForDisconnect makes sure that a connection is over
// when its Disconnect has returned and not before, however it ended.
func TestPromise9_ShutdownWaitsForDisconnect(t *testing.T) {
	t.Parallel()
	ways := map[string]func(p *peer, release chan struct{}){
		"the peer closes":  func(p *peer, _ chan struct{}) { p.closes() },
		"the peer goes":    func(p *peer, _ chan struct{}) { p.Conn.Close() },
		"the peer is deaf": func(p *peer, _ chan struct{}) { p.SendText("an answer that is not read") },
		"the peer errs":    func(p *peer, _ chan struct{}) { p.SendBytes(frame(finCont, "")); p.WantClose(1002); p.Conn.Close() },
		"taken over": func(p *peer, release chan struct{}) {
			p.SendText("block")
			<-time.After(time.Second)
			close(release)
			p.WantText("block")
			p.closes()
		},
		"taken over, and gone": func(p *peer, release chan struct{}) {
			p.SendText("block")
			<-time.After(time.Second)
			p.Conn.Close()
			<-time.After(time.Second)
			close(release)
		},
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				release, saysFarewell := make(chan struct{}), make(chan struct{})
				app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
					if m.Text() == "block" {
						<-release
					}
					return c.Send(ctx, m)
				}, OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { <-saysFarewell }}
				s := serveOver(t, via, app, nil)
				p := s.open(t)
				synctest.Wait()
				end(p, release)
				<-time.After(time.Minute) // whatever ends by itself has ended
				done := make(chan error, 1)
				go func() { done <- s.Shutdown(context.Background()) }()
				<-time.After(time.Second)
				if len(done) != 0 {
					t.Error("Shutdown has returned although a Disconnect runs")
				}
				close(saysFarewell)
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestPromise9_ShutdownIsPaced spreads the closes over three quarters of the
// time there is.
func TestPromise9_ShutdownIsPaced(t *testing.T) {
	t.Parallel()
	const peers = 40
	inBubbles(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, fakes.Echo(), nil)
		var all sync.WaitGroup
		times := make(chan time.Duration, peers)
		var begun time.Time
		for range peers {
			p := s.open(t)
			all.Go(func() {
				p.WantClose(1001)
				times <- time.Since(begun)
				p.closesBack(1001)
			})
		}
		begun = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 80*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		all.Wait()
		close(times)
		batches := map[time.Duration]int{}
		for d := range times {
			batches[d]++
		}
		if len(batches) < 5 || len(batches) > 7 {
			t.Errorf("closed in batches of %v, want about six within 60ms", batches)
		}
	})
}

// TestShutdownWith closes with the code and the reason of the options, or of the
// call, and has handshakes wait as they say.
func TestShutdownWith(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		static := websocket.ShutdownOptions{Code: 1012, Reason: "a new version", RetryAfter: 30 * time.Second}
		for _, row := range []struct {
			at      testkit.Line
			o       websocket.Options
			with    *websocket.ShutdownOptions
			code    protocol.CloseCode
			reason  string
			refused int // seconds
		}{
			{testkit.Here(), websocket.Options{}, nil, 1001, "the server is shutting down", 5},
			{testkit.Here(), websocket.Options{Shutdown: static}, nil, 1012, "a new version", 30},
			{testkit.Here(), websocket.Options{Shutdown: static}, &websocket.ShutdownOptions{Code: 4000}, 4000, "the server is shutting down", 5},
		} {
			entered := make(chan struct{})
			app := fakes.Echo()
			var n atomic.Int32
			app.OnConnect = func(ctx context.Context, _ *protocol.Conn) error {
				if n.Add(1) == 2 {
					close(entered)
					<-ctx.Done()
				}
				return ctx.Err()
			}
			ends := app.Ends()
			s := serveOver(t, via, app, &row.o)
			p, slow := s.open(t), s.peer(t)
			slow.SendBytes([]byte(websockettest.Request("/")))
			<-entered
			done := make(chan error, 1)
			go func() {
				if row.with != nil {
					done <- s.ShutdownWith(t.Context(), *row.with)
					return
				}
				done <- s.Shutdown(t.Context())
			}()
			p.Want(websockettest.Close(row.code, row.reason))
			for name, a := range map[string]websockettest.Answer{"a new one": s.peer(t).Handshake(websockettest.Request("/")), "one that waits": slow.ReadAnswer()} {
				if a.Status != http.StatusServiceUnavailable || !isRetry(a.Header.Get("Retry-After"), row.refused) {
					t.Errorf("%s: %s: %d with Retry-After %q, want 503 and %d or more", row.at, name, a.Status, a.Header.Get("Retry-After"), row.refused)
				}
			}
			p.closesBack(row.code)
			if st := <-ends; st.Code != row.code || st.Remote {
				t.Errorf("%s: Disconnect was given %+v", row.at, st)
			}
			if err := <-done; err != nil {
				t.Errorf("%s: %v", row.at, err)
			}
		}
	})
}
