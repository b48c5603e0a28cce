package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Reading is what an instrument has shown.
type Reading struct {
	Value string `json:"value"`
}

// Measured goes to everybody who watches.
var Measured = protocol.EventType[Reading]{Name: "reading"}

// Watcher sends a reading when its peer has acknowledged the one before, and then the
// latest. All fields belong to the callbacks, which never overlap.
type Watcher struct {
	consumer.Base
	unacknowledged bool
	latest         string // that has come meanwhile
}

func (w *Watcher) measured(ctx context.Context, c *consumer.Conn, r Reading) error {
	if w.unacknowledged {
		w.latest = r.Value
		return nil
	}
	w.unacknowledged = true
	return c.SendText(ctx, r.Value)
}

// Receive takes an acknowledgement.
func (w *Watcher) Receive(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
	if w.latest == "" {
		w.unacknowledged = false
		return nil
	}
	latest := w.latest
	w.latest = ""
	return c.SendText(ctx, latest)
}

// A key replaces what waits in this server. What is on its way, in the buffers of the
// network, of proxies, and of a peer whose program reads slowly, it cannot replace: only
// the peer knows what it has handled. So let it acknowledge, and send the next value then.
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
