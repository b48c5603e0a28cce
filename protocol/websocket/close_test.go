package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestCloseByPeer echoes the code, and tells the consumer code and reason.
func TestCloseByPeer(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		rows := []struct {
			at    testkit.Line
			frame []byte
			want  protocol.CloseStatus
			reply protocol.CloseCode
		}{
			{testkit.Here(), closing(1000, ""), protocol.CloseStatus{Code: 1000}, 1000},
			{testkit.Here(), closing(1000, "bye 世界"), protocol.CloseStatus{Code: 1000, Reason: "bye 世界"}, 1000},
			{testkit.Here(), closing(1001, strings.Repeat("r", 123)), protocol.CloseStatus{Code: 1001, Reason: strings.Repeat("r", 123)}, 1001},
			{testkit.Here(), closing(1011, ""), protocol.CloseStatus{Code: 1011}, 1011},
			{testkit.Here(), closing(1012, ""), protocol.CloseStatus{Code: 1012}, 1012},
			{testkit.Here(), closing(1014, ""), protocol.CloseStatus{Code: 1014}, 1014},
			{testkit.Here(), closing(3000, ""), protocol.CloseStatus{Code: 3000}, 3000},
			{testkit.Here(), closing(4999, "x"), protocol.CloseStatus{Code: 4999, Reason: "x"}, 4999},
			{testkit.Here(), closing(1010, "x"), protocol.CloseStatus{Code: 1010, Reason: "x"}, protocol.CloseNoStatus},
			{testkit.Here(), frame(finClose, ""), protocol.CloseStatus{Code: protocol.CloseNoStatus}, protocol.CloseNoStatus},
		}
		for _, row := range rows {
			p := s.open(t)
			p.SendText("last words")
			p.WantText("last words")
			p.SendBytes(row.frame)
			if reason := p.WantClose(row.reply); reason != "" {
				t.Errorf("%s: answered with reason %q", row.at, reason)
			}
			p.WantEnd()
			row.want.Remote = true
			if got := <-ends; got != row.want {
				t.Errorf("%s: ended with %+v, want %+v", row.at, got, row.want)
			}
		}
	})
}

// TestCloseByPeerBroken answers a bad close frame as a broken rule.
func TestCloseByPeerBroken(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		rows := []struct {
			at    testkit.Line
			frame []byte
			code  protocol.CloseCode
		}{
			{testkit.Here(), frame(finClose, "\x03"), 1002},
			{testkit.Here(), closing(0, ""), 1002},
			{testkit.Here(), closing(999, ""), 1002},
			{testkit.Here(), closing(1004, ""), 1002},
			{testkit.Here(), closing(1005, ""), 1002},
			{testkit.Here(), closing(1006, "x"), 1002},
			{testkit.Here(), closing(1015, ""), 1002},
			{testkit.Here(), closing(1016, ""), 1002},
			{testkit.Here(), closing(2999, ""), 1002},
			{testkit.Here(), closing(5000, ""), 1002},
			{testkit.Here(), closing(65535, ""), 1002},
			{testkit.Here(), closing(1000, "\xff"), 1007},
		}
		for _, row := range rows {
			p := s.open(t)
			p.SendBytes(row.frame)
			p.WantClose(row.code)
			p.WantEnd()
			if got := <-ends; got.Code != row.code || got.Remote {
				t.Errorf("%s: ended with %+v, want %d", row.at, got, row.code)
			}
		}
	})
}

// TestCloseByServer ends connections as their callback says.
func TestCloseByServer(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		secret := errors.New("the password is 1234")
		long := strings.Repeat("世", 50)
		rows := []struct {
			at     testkit.Line
			err    error
			code   protocol.CloseCode
			reason string
			log    string
		}{
			{testkit.Here(), protocol.NewCloseError(1000, ""), 1000, "", ""},
			{testkit.Here(), protocol.NewCloseError(4001, "why not"), 4001, "why not", ""},
			{testkit.Here(), fmt.Errorf("wrapped: %w", protocol.NewCloseError(3003, "no")), 3003, "no", ""},
			{testkit.Here(), protocol.NewCloseError(4002, long), 4002, long[:123], ""},
			{testkit.Here(), protocol.NewCloseError(4003, "not \xff UTF-8"), 4003, "not \uFFFD UTF-8", ""},
			{testkit.Here(), protocol.NewCloseError(1005, "x"), 1011, "", "consumer failed"},
			{testkit.Here(), protocol.NewCloseError(999, "x"), 1011, "", "consumer failed"},
			{testkit.Here(), protocol.NewCloseError(1010, "x"), 1011, "", "consumer failed"},
			{testkit.Here(), secret, 1011, "", "the password is 1234"},
		}
		for _, row := range rows {
			app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
				if err := c.Send(ctx, m); err != nil {
					return err
				}
				return row.err
			}}
			ends := app.Ends()
			s := serveOver(t, via, app, nil)
			p := s.open(t)
			p.SendText("goes out before")
			p.WantText("goes out before")
			p.Want(websockettest.Close(row.code, row.reason))
			p.SendBytes(frame(finText, "too late"), closing(row.code, ""))
			p.WantEnd()
			if got := <-ends; got.Code != row.code || got.Remote || got.Reason != row.reason {
				t.Errorf("%s: ended with %+v, want %d %q", row.at, got, row.code, row.reason)
			}
			s.wantLog(t, row.log)
			if n := s.Stats().MessagesUnread; n != 1 {
				t.Errorf("%s: MessagesUnread = %d, want 1", row.at, n)
			}
		}
	})
}

// TestCloseUnsendable has Conn.Close called with a code that cannot be sent.
func TestCloseUnsendable(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		for _, code := range []protocol.CloseCode{0, 999, 1004, 1005, 1006, 1010, 1015, 2000, 5000} {
			app := &fakes.Handler{OnReceive: func(_ context.Context, c *protocol.Conn, _ protocol.Message) error {
				c.Close(code, "reason")
				return nil
			}}
			s := serveOver(t, via, app, nil)
			p := s.open(t)
			p.SendText("close")
			p.Want(websockettest.Close(1011, ""))
			s.wantLog(t, "code that a server cannot send", fmt.Sprintf("code=%d", code))
		}
	})
}

// TestCloseOnce makes sure that the first end wins, and that sends afterwards
// say how it ended.
func TestCloseOnce(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		sent := make(chan error, 1)
		app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			c.Close(4001, "first")
			c.Close(4002, "second")
			sent <- c.Send(ctx, m)
			return protocol.NewCloseError(4003, "third")
		}}
		ends := app.Ends()
		p := serveOver(t, via, app, nil).open(t)
		p.SendText("close")
		p.Want(websockettest.Close(4001, "first"))
		p.SendBytes(closing(4001, ""))
		p.WantEnd()
		err := <-sent
		if ce, ok := errors.AsType[*protocol.CloseError](err); !ok || ce.Code != 4001 || !errors.Is(err, protocol.ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after the end: %v", err)
		}
		if got := <-ends; got.Code != 4001 {
			t.Errorf("ended with %+v", got)
		}
	})
}

// TestCloseCrossing has both sides close at once.
func TestCloseCrossing(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		closed := make(chan struct{})
		app := &fakes.Handler{OnReceive: func(_ context.Context, c *protocol.Conn, _ protocol.Message) error {
			c.Close(4001, "")
			close(closed)
			return nil
		}}
		ends := app.Ends()
		p := serveOver(t, via, app, nil).open(t)
		p.SendText("close")
		<-closed
		p.SendBytes(closing(4002, ""))
		p.Want(websockettest.Close(4001, ""))
		p.WantEnd()
		if got := <-ends; got.Code != 4001 || got.Remote {
			t.Errorf("ended with %+v", got)
		}
	})
}

// TestHangUp ends connections without a close frame, in the ways of TCP.
func TestHangUp(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := serveOver(t, via, app, nil)
		ways := map[string]func(nc net.Conn) error{"half close": closeWrite, "close": net.Conn.Close}
		if via.name != "unix" {
			ways["reset"] = func(nc net.Conn) error {
				return errors.Join(socketOf(nc).(*net.TCPConn).SetLinger(0), socketOf(nc).Close())
			}
		}
		for name, hangUp := range ways {
			for _, unfinished := range []string{"", "\x81", "\x01\x82aaaaab"} {
				p := s.open(t)
				p.SendText("hello")
				p.WantText("hello")
				p.SendBytes([]byte(unfinished))
				if err := hangUp(p.Conn); err != nil {
					t.Fatal(err)
				}
				got := <-ends
				if got.Code != protocol.CloseAbnormal || got.Remote || got.Err == nil {
					t.Errorf("%s: ended with %+v, want 1006 and why", name, got)
				}
				if name == "half close" {
					p.WantEnd()
				}
			}
		}
	})
}

// TestHalfCloseAfterWords makes sure that what the peer said before its half
// close is heard.
func TestHalfCloseAfterWords(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		heard := make(chan string, 3)
		app := &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
			heard <- m.Text()
			return nil
		}}
		ends := app.Ends()
		p := serveOver(t, via, app, nil).open(t)
		p.SendBytes(frame(finText, "1"), frame(finText, "2"), frame(finText, "3"))
		if err := closeWrite(p.Conn); err != nil {
			t.Fatal(err)
		}
		p.WantEnd()
		for _, want := range []string{"1", "2", "3"} {
			if got := <-heard; got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		if got := <-ends; got.Code != protocol.CloseAbnormal {
			t.Errorf("ended with %+v", got)
		}
	})
}
