package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestTime tests a consumer in the form of a function, in fake time.
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
			c.SendText("what time is it?") // it is discarded
			c.WantNothing()
			<-time.After(time.Second)
		}
		c.Close(1000, "")
		c.WantOver()
	})
}

// TestTimeForAll: the time needs no login.
func TestTimeForAll(t *testing.T) {
	t.Parallel()
	shop := open(t)
	c := websockettest.Dial(t, "ws://"+shop.host+"/time", nil)
	if _, err := time.Parse(time.TimeOnly, c.Text()); err != nil {
		t.Error(err)
	}
}

// dialClock connects to the clock, which may send a message at any time.
func dialClock(t *testing.T, host string) *websockettest.Client {
	t.Helper()
	return websockettest.Dial(t, "ws://"+host+"/time", nil)
}

// wantAway reads messages until the clock closes with 1001, and answers the close.
func wantAway(t *testing.T, clock *websockettest.Client) {
	t.Helper()
	for {
		f := clock.Next()
		if code, _ := f.Status(); f.First == websockettest.FIN|websockettest.OpClose && code == consumer.CloseGoingAway {
			clock.Send(websockettest.Close(code, ""))
			clock.WantEnd()
			return
		}
		if _, err := time.Parse(time.TimeOnly, f.Payload); err != nil {
			t.Fatalf("the clock sends %v: %v", f, err)
		}
	}
}
