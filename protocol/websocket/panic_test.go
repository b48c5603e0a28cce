package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestPromise4_PanicCostsOneConnection has callbacks panic beside a connection
// that must not notice.
func TestPromise4_PanicCostsOneConnection(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			if m.Text() == "panic" {
				panic("the secret is out")
			}
			return c.Send(ctx, m)
		}}
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		other := s.open(t)
		for range 3 {
			p := s.open(t)
			p.SendBytes(frame(finText, "before"), frame(finText, "panic"), frame(finText, "behind"))
			p.WantText("before")
			p.Want(websockettest.Close(1011, ""))
			p.SendBytes(closing(1011, ""))
			p.WantEnd()
			got := <-ends
			if pe, ok := errors.AsType[*protocol.PanicError](got.Err); got.Code != 1011 || !ok || pe.Value != "the secret is out" {
				t.Errorf("ended with %+v", got)
			}
			other.SendText("all is well")
			other.WantText("all is well")
		}
		if st := s.Stats(); st.Panics != 3 || st.Failures != 3 || st.Open != 1 {
			t.Errorf("%+v, want three panics and one connection", st)
		}
		s.wantLog(t, "the secret is out", "panic_test.go", "conn.path=/", "conn.peer=")
		other.closes()
	})
}

// TestPromise4_PanicElsewhere panics where connections begin and end.
func TestPromise4_PanicElsewhere(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		boom := func() { panic("boom") }
		opening := map[string]*fakes.Handler{
			"Open":    {OnOpen: func(*protocol.Scope) error { boom(); return nil }},
			"Connect": {OnConnect: func(context.Context, *protocol.Conn) error { boom(); return nil }},
		}
		for name, app := range opening {
			s := serveOver(t, via, app, nil)
			if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != 500 || a.Body != "Internal Server Error\n" {
				t.Errorf("%s: got %d %q, want 500", name, a.Status, a.Body)
			}
			s.wantLog(t, "boom", "panic_test.go", "status=500")
			if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != 500 {
				t.Errorf("%s, again: %d", name, a.Status)
			}
		}
		gone := make(chan struct{})
		s := serveOver(t, via, &fakes.Handler{
			OnConnect: func(_ context.Context, c *protocol.Conn) error {
				c.Defer(func() { close(gone) })
				c.Defer(boom)
				return nil
			},
			OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { boom() },
		}, nil)
		s.open(t).closes()
		<-gone
		s.wantLog(t, "boom")
	})
}

// TestPromise4_Goexit has callbacks end their goroutine, at once and after the
// reading has been taken over. The connection ends with 1011, and nothing hangs.
func TestPromise4_Goexit(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{}
		entered, release := make(chan struct{}), make(chan struct{})
		app.OnReceive = func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			switch m.Text() {
			case "wait":
				close(entered)
				<-release
				fallthrough
			case "exit":
				runtime.Goexit()
			}
			return c.Send(ctx, m)
		}
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		p := s.open(t)
		p.SendBytes(frame(finText, "before"), frame(finText, "exit"), frame(finText, "behind"))
		p.WantText("before")
		p.Want(websockettest.Close(1011, ""))
		p.SendBytes(closing(1011, ""))
		p.WantEnd()
		if got := <-ends; got.Code != 1011 {
			t.Errorf("ended with %+v", got)
		}
		p = s.open(t)
		p.SendText("wait")
		<-entered
		p.Send(websockettest.Ping("somebody else reads now"))
		p.Want(websockettest.Pong("somebody else reads now"))
		close(release)
		p.Want(websockettest.Close(1011, ""))
		p.closesBack(1011)
		if got := <-ends; got.Code != 1011 {
			t.Errorf("ended with %+v", got)
		}
		s.wantLog(t, "runtime.Goexit")
	})
}

// TestPromise4_GoexitAtOnce makes sure that reading goes on at once, and not when
// the watcher comes.
func TestPromise4_GoexitAtOnce(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error { runtime.Goexit(); return nil }}
		p := serveOver(t, via, app, nil).open(t)
		synctest.Wait()
		begun := time.Now()
		p.SendText("exit")
		p.Want(websockettest.Close(1011, ""))
		p.closesBack(1011)
		if d := time.Since(begun); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}

// closesBack answers a close and waits for the end.
func (p *peer) closesBack(code protocol.CloseCode) {
	p.tb.Helper()
	p.SendBytes(closing(code, ""))
	p.WantEnd()
	p.Conn.Close()
}

// TestPromise4_GoexitElsewhere ends goroutines where connections begin and end.
func TestPromise4_GoexitElsewhere(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		s := serveOver(t, via, &fakes.Handler{OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { runtime.Goexit() }}, nil)
		s.open(t).closes()
		apps := map[string]protocol.Application{
			"Connect": &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { runtime.Goexit(); return nil }},
			"Func":    consumer.Func(func(context.Context, *consumer.Stream) error { runtime.Goexit(); return nil }),
		}
		for name, app := range apps {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := serveOver(t, via, app, nil)
				if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != 500 {
					t.Errorf("status %d, want 500", a.Status)
				}
				s.wantLog(t, "runtime.Goexit")
			})
		}
	})
}

// TestPromise4_PanicInFunc panics in the function form, before and after it is
// accepted.
func TestPromise4_PanicInFunc(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			if s.Scope().Query().Has("late") {
				if err := s.SendText(ctx, "hello"); err != nil {
					return err
				}
			}
			panic("boom")
		})
		s := serveOver(t, via, app, nil)
		if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != 500 {
			t.Errorf("status %d, want 500", a.Status)
		}
		p := s.peer(t)
		p.Upgrade(websockettest.Request("/?late"))
		p.WantText("hello")
		p.Want(websockettest.Close(1011, ""))
		p.closesBack(1011)
		if st := s.Stats(); st.Panics != 2 {
			t.Errorf("%d panics, want 2", st.Panics)
		}
	})
}

// TestErrUnreadIsCounted and nothing else.
func TestErrUnreadIsCounted(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
			return fmt.Errorf("%s: %w", m.Text(), plumbing.ErrUnread)
		}}
		s := serveOver(t, via, app, nil)
		p := s.open(t)
		p.SendText("nobody reads this")
		p.closes()
		s.wantEmpty(t) // the close may be answered before the message is dealt with
		if n := s.Stats().MessagesUnread; n != 1 {
			t.Errorf("MessagesUnread = %d, want 1", n)
		}
	})
}
