package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
)

// Prices with keys: a peer that reads slowly receives the latest price of each item, and
// not all earlier ones.
func ExampleConn_key() {
	type price struct{ item, text string }
	ticks := []price{{"tea", "tea 3.10"}, {"rum", "rum 9.00"}, {"tea", "tea 3.20"}, {"tea", "tea 3.30"}}

	sent := make(chan struct{})
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
		defer close(sent)
		for _, p := range ticks {
			m := consumer.Text(p.text)
			m.Key = p.item
			if err := c.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})

	slow := connect(app, "/ws/prices/")
	slow.SendText("open")
	<-sent // the peer has read nothing yet
	fmt.Println(slow.Message().Text())
	fmt.Println(slow.Message().Text())
	fmt.Println(slow.Stats().MessagesConflated, "prices were replaced")
	hangUp(slow)
	// Output:
	// tea 3.30
	// rum 9.00
	// 2 prices were replaced
}
