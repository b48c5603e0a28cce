package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
)

// Prices have keys: a peer that does not keep up gets the latest of each and not
// all there have been.
func ExampleConn_key() {
	type price struct{ item, text string }
	ticks := []price{{"tea", "tea 3.10"}, {"rum", "rum 9.00"}, {"tea", "tea 3.20"}, {"tea", "tea 3.30"}}

	sent := make(chan struct{})
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
		defer close(sent)
		for _, p := range ticks {
			m := protocol.Text(p.text)
			m.Key = p.item
			if err := c.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})

	slow := connect(app, "/ws/prices/")
	slow.SendText("open")
	<-sent // it reads nothing meanwhile
	fmt.Println(slow.Message().Text())
	fmt.Println(slow.Message().Text())
	fmt.Println(slow.Stats().MessagesConflated, "were replaced")
	hangUp(slow)
	// Output:
	// tea 3.30
	// rum 9.00
	// 2 were replaced
}
