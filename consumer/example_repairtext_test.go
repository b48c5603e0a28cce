package consumer_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// A route that relays text of unknown origin. With Limits.RepairText, bytes that are not
// UTF-8 become replacement characters; without it, the send returns an error.
func Example_repairText() {
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		err := c.SendText(ctx, string(m.Data)) // it may be any bytes
		if errors.Is(err, consumer.ErrNotUTF8) {
			return c.SendText(ctx, "this is not a text")
		}
		return err
	})
	strict := connect(app, "/ws/lines/")
	strict.SendBinary([]byte("caf\xe9"))
	fmt.Println(strict.Message().Text())

	repairing := connect(router.Use(app, router.Limit(protocol.Limits{RepairText: true})), "/ws/lines/")
	repairing.SendBinary([]byte("caf\xe9"))
	fmt.Println(repairing.Message().Text())
	hangUp(strict, repairing)
	// Output:
	// this is not a text
	// caf�
}
