package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wye-go/wye/consumer"
)

// report sends reports, which take long to make.
type report struct{ consumer.Base }

// Receive starts a report and returns, so that the connection handles other messages
// meanwhile. ctx is done if the peer closes. If slowReport panics, only this connection
// closes.
func (report) Receive(_ context.Context, c *consumer.Conn, m consumer.Message) error {
	name := m.Text() // m.Data is valid until Receive returns
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

// Work beside the callbacks. Limits.Goroutines bounds how many functions run at once, and
// Disconnect waits for them.
func ExampleConn_Go() {
	app := consumer.New(func(*consumer.Scope) report { return report{} })

	ann := connect(app, "/reports")
	ann.SendText("sales")
	fmt.Println(ann.Message().Text())
	ann.Close(consumer.CloseNormal, "")
	ann.WantOver()
	// Output: sales: all is well
}
