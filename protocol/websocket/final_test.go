package websocket_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// door is a lock with a PIN: the first wrong one ends the connection. It takes as
// long as the peer stays, so that the peer closes behind all that it says.
type door struct {
	stays bool         // the peer closes after we have ended the connection
	wrong func() error // what is returned for a wrong PIN
	tried []string
}

func (d *door) try(ended <-chan struct{}, pin string) error {
	d.tried = append(d.tried, pin)
	if !d.stays {
		<-ended
	}
	return d.wrong()
}

// apps are a door as a handler and as a message loop.
func (d *door) apps() map[string]protocol.Application {
	return map[string]protocol.Application{
		"a handler": &fakes.Handler{OnReceive: func(_ context.Context, c *protocol.Conn, m protocol.Message) error {
			return d.try(c.Context().Done(), m.Text())
		}},
		"a loop": consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			for m, err := range s.Messages(ctx) {
				if err != nil {
					return err
				}
				if err := d.try(ctx.Done(), m.Text()); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

// TestAnEndFromOurSideEndsTheCalling over a socket: a peer says a hundred PINs, a
// command and a close in one write. One PIN is tried, however the connection ends
// over it, and whether the peer's close comes before that or after.
func TestAnEndFromOurSideEndsTheCalling(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		for _, row := range []struct {
			at     testkit.Line
			name   string
			wrong  func() error
			code   protocol.CloseCode
			panics int64
			lines  int // at ERROR
		}{
			{testkit.Here(), "Close", func() error { return protocol.NewCloseError(4401, "wrong PIN") }, 4401, 0, 0},
			{testkit.Here(), "an error", func() error { return fmt.Errorf("wrong PIN") }, 1011, 0, 1},
			{testkit.Here(), "a panic", func() error { panic("wrong PIN") }, 1011, 1, 1},
		} {
			for _, stays := range []bool{true, false} {
				d := &door{stays: stays, wrong: row.wrong}
				apps := d.apps()
				for form, app := range apps {
					d.tried = nil
					s := serveOver(t, via, app, nil)
					p := s.open(t)
					var said [][]byte
					for pin := range 100 {
						said = append(said, frame(finText, fmt.Sprintf("07%02d", pin)))
					}
					said = append(said, frame(finText, "open the vault"))
					if !stays {
						said = append(said, closing(1000, ""))
					}
					p.SendBytes(slices.Concat(said...))
					if stays {
						p.WantClose(row.code)
						p.SendBytes(closing(row.code, ""))
					} else {
						p.Want(websockettest.Close(1000, ""))
					}
					p.WantEnd()
					p.Conn.Close()
					s.wantEmpty(t)
					if st := s.Stats(); !slices.Equal(d.tried, []string{"0700"}) || st.MessagesUnread != 100 || st.Panics != row.panics {
						t.Errorf("%s, %s, the peer stays: %v: tried %q, want the first only; counted %+v", row.at, form, stays, d.tried, st)
					}
					log := s.log.String()
					if n := strings.Count(log, "level=ERROR"); n != row.lines {
						t.Errorf("%s, %s, the peer stays: %v: %d lines, want %d:\n%s", row.at, form, stays, n, row.lines, log)
					}
					if closed := strings.Contains(log, "is closed with 1011"); closed != (stays && row.lines > 0) {
						t.Errorf("%s, %s, the peer stays: %v: the log says what is not so: %s", row.at, form, stays, log)
					}
				}
			}
		}
	})
}

// TestFinalMessagesDoNotHoldUpDisconnect: many messages, each of which takes a
// moment, in front of a close.
func TestFinalMessagesDoNotHoldUpDisconnect(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := &fakes.Handler{OnReceive: func(context.Context, *protocol.Conn, protocol.Message) error {
			<-time.After(20 * time.Millisecond)
			return nil
		}}
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		p := s.open(t)
		began := time.Now()
		p.SendBytes(bytes.Repeat(frame(finText, "x"), 900), closing(1000, ""))
		if st := <-ends; !st.Remote {
			t.Errorf("ended with %+v", st)
		}
		if took := time.Since(began); took > plumbing.FinalTime+50*time.Millisecond {
			t.Errorf("Disconnect came after %v", took)
		}
		p.Want(websockettest.Close(1000, ""))
		p.WantEnd()
		if st := s.Stats(); st.MessagesUnread < 800 || st.MessagesUnread > 860 {
			t.Errorf("counted %+v", st)
		}
	})
}

// TestCountersDoNotCountTheDead: a peer that breaks a rule when its connection has
// been closed, or refuses to answer our close, costs no more.
func TestCountersDoNotCountTheDead(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		for _, v := range append(violations(), violation{testkit.Here(), append(frame(text, ""), bytes.Repeat(frame(cont, ""), 20)...), 1008}) {
			for _, closed := range []bool{false, true} {
				o := small()
				o.Limits.MaxFragments = 10
				s := serveOver(t, via, &fakes.Handler{OnReceive: func(_ context.Context, c *protocol.Conn, m protocol.Message) error {
					if m.Text() == "close" {
						c.Close(4000, "")
					}
					return nil
				}}, o)
				p := s.open(t)
				code := v.code
				if closed {
					p.SendText("close")
					code = 4000
				}
				p.SendBytes(v.in)
				p.WantClose(code)
				p.Conn.Close()
				s.wantEmpty(t)
				st := s.Stats()
				want := int64(1)
				if closed {
					want = 0
				}
				if n := st.Violations + st.TooBig + st.TooManyFrames; n != want {
					t.Errorf("%s: closed before: %v: counted %+v, want %d", v.at, closed, st, want)
				}
			}
		}
	})
}

// TestACutAtTheEndOfShutdownEndsTheCalling: the deadline has passed, and what the
// peer said is not for anybody any more.
func TestACutAtTheEndOfShutdownEndsTheCalling(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		const peers = 7 // more than are closed before Shutdown looks at its deadline
		var heard atomic.Int32
		app := &fakes.Handler{OnReceive: func(_ context.Context, c *protocol.Conn, _ protocol.Message) error {
			heard.Add(1)
			<-c.Context().Done()
			return nil
		}}
		ends := app.Ends()
		s := serveOver(t, via, app, &websocket.Options{})
		for range peers {
			s.open(t).SendBytes(frame(finText, "1"), frame(finText, "2"), frame(finText, "3"))
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Shutdown(ctx); err == nil {
			t.Error("nothing had to be cut")
		}
		for range peers {
			if st := <-ends; st.Code != protocol.CloseGoingAway {
				t.Errorf("ended with %+v", st)
			}
		}
		synctest.Wait()
		if n := s.Stats().MessagesUnread; heard.Load() != peers || n != 2*peers {
			t.Errorf("heard %d, and counted %d unread", heard.Load(), n)
		}
	})
}
