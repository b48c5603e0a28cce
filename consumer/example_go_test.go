package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
)

// report makes reports, which takes long.
type report struct{ consumer.Base }

// Receive starts one and returns, so that the connection goes on meanwhile. If the
// peer goes away ctx ends; if make panics this connection is closed, and no other.
func (report) Receive(_ context.Context, c *consumer.Conn, m consumer.Message) error {
	name := m.Text() // m is lent until Receive returns
	return c.Go(func(ctx context.Context) error {
		text, err := slowReport(ctx, name)
		if err != nil {
			return err
		}
		return c.SendText(ctx, text)
	})
}

func slowReport(ctx context.Context, name string) (string, error) {
	select {
	case <-time.After(10 * time.Millisecond):
		return name + ": all is well", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Work beside the callbacks. It is bounded by Limits.Goroutines, and has returned when
// Disconnect runs.
func ExampleConn_Go() {
	app := consumer.New(func(*consumer.Scope) report { return report{} })

	ann := connect(app, "/reports")
	ann.SendText("sales")
	fmt.Println(ann.Message().Text())
	ann.Close(protocol.CloseNormal, "")
	ann.WantOver()
	// Output: sales: all is well
}
