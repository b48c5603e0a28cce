package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// Reading is one value of an instrument.
type Reading struct {
	Value string `json:"value"`
}

// Measured is sent to the group "readings".
var Measured = consumer.EventType[Reading]{Name: "reading"}

// Watcher sends the latest reading each time its peer has acknowledged the one before.
// Only callbacks use the fields, and callbacks never overlap.
type Watcher struct {
	consumer.Base
	unacknowledged bool
	latest         string // came since the last one was sent; "" if none did
}

func (w *Watcher) measured(ctx context.Context, c *consumer.Conn, r Reading) error {
	if w.unacknowledged {
		w.latest = r.Value
		return nil
	}
	w.unacknowledged = true
	return c.SendText(ctx, r.Value)
}

// Receive handles an acknowledgement.
func (w *Watcher) Receive(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
	if w.latest == "" {
		w.unacknowledged = false
		return nil
	}
	latest := w.latest
	w.latest = ""
	return c.SendText(ctx, latest)
}

// The key of a message replaces messages that wait in this server, but not those in the
// buffers of the network, of proxies, and of a peer that reads slowly. Only the peer knows
// which value it has handled: here it acknowledges each one, and receives the latest then.
func ExampleConn_acknowledged() {
	app := consumer.New(func(*consumer.Scope) *Watcher { return &Watcher{} },
		consumer.Groups[*Watcher]("readings"),
		consumer.On(Measured, (*Watcher).measured),
	)

	slow := connect(app, "/ws/readings/")
	for _, value := range []string{"3.10", "3.20", "3.30", "3.40"} {
		if err := layers.Default().GroupSend(context.Background(), "readings", Measured.New(Reading{value})); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(slow.Message().Text())
	slow.SendText("got it")
	fmt.Println(slow.Message().Text())
	hangUp(slow)
	// Output:
	// 3.10
	// 3.40
}
