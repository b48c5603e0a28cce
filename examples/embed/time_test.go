package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/examples/internal/exampletest"
)

// TestTime is the function form, in fake time.
func TestTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := consumertest.Connect(t, consumer.Func(tellTime), "/time", nil)
		for said := range int64(3) {
			if n := c.Stats().MessagesUnread; n != said {
				t.Errorf("%d messages were taken from the peer, which has sent %d", n, said)
			}
			now := time.Now().Format(time.TimeOnly)
			c.WantText(now)
			c.SendText("what time is it?") // it is told anyway
			c.WantNothing()
			<-time.After(time.Second)
		}
		c.Close(1000, "")
		c.WantOver()
	})
}

// TestTimeForAll: nobody has to log in for it.
func TestTimeForAll(t *testing.T) {
	t.Parallel()
	shop := open(t)
	c := exampletest.Dial(t, "ws://"+shop.host+"/time", nil)
	if _, err := time.Parse(time.TimeOnly, c.Text()); err != nil {
		t.Error(err)
	}
}

// dialClock opens a socket to the clock, which may say something at any time.
func dialClock(t *testing.T, host string) net.Conn {
	t.Helper()
	dialer := ws.Dialer{Timeout: exampletest.Patience}
	conn, early, _, err := dialer.Dial(t.Context(), "ws://"+host+"/time")
	if err != nil {
		t.Fatalf("dialing the clock: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	if early == nil {
		return conn
	}
	return &buffered{conn, early}
}

// buffered is a connection of which something was read already.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// wantAway reads until the clock closes with 1001, and answers.
func wantAway(t *testing.T, clock net.Conn) {
	t.Helper()
	_ = clock.SetDeadline(time.Now().Add(exampletest.Patience))
	for {
		text, err := wsutil.ReadServerText(clock)
		switch closed, ok := errors.AsType[wsutil.ClosedError](err); {
		case ok && closed.Code == ws.StatusGoingAway:
			if _, err := clock.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("after the clock's close: %v, want the end of the connection", err)
			}
			return
		case err != nil:
			t.Fatalf("the clock ended with %v, want a close with 1001", err)
		}
		if _, err := time.Parse(time.TimeOnly, string(text)); err != nil {
			t.Error(err)
		}
	}
}
