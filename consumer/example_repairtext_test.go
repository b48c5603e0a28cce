package consumer_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// A program that passes on text of unknown origin has it repaired on the routes where a
// replacement character is better than no message.
func Example_repairText() {
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		err := c.SendText(ctx, string(m.Data)) // whatever it is
		if errors.Is(err, protocol.ErrNotUTF8) {
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
