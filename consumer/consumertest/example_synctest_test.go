package consumertest_test //nolint:testableexamples // a bubble needs a *testing.T: TestReminder runs the Example

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
)

// reminder answers each message a day later.
func reminder() consumer.Application {
	return consumer.ReceiveFunc(func(_ context.Context, c *consumer.Conn, m consumer.Message) error {
		text := m.Text()
		return c.Go(func(ctx context.Context) error {
			select {
			case <-time.After(24 * time.Hour):
				return c.SendText(ctx, text)
			case <-ctx.Done():
				return nil
			}
		})
	})
}

// testReminder tests reminder. In a program it is called TestReminder.
func testReminder(t *testing.T) { //nolint:thelper // it is a test under another name
	synctest.Test(t, func(t *testing.T) {
		ann := consumertest.Connect(t, reminder(), "/ws/reminder/", &consumertest.Options{Patience: 48 * time.Hour})
		ann.SendText("water the flowers")
		ann.WantNothing() // the reminder has read the message and waits

		start := time.Now()
		ann.WantText("water the flowers")
		if waited := time.Since(start); waited != 24*time.Hour {
			t.Errorf("the reminder came after %v, want 24h", waited)
		}
	})
}

// A test in a bubble of testing/synctest takes no time, however long the consumer waits,
// and WantNothing knows that nothing more will come.
func Example_synctest() {
	var t *testing.T // go test passes it to a test function
	testReminder(t)
}
