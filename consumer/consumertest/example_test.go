package consumertest_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
)

// T stands in for a *testing.T, which an example has not.
type T = fake

// A test of an echo, and what it says when it fails.
func ExampleConnect() {
	echo := consumer.Receive(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	})

	testEcho := func(t *T) {
		ann := consumertest.Connect(t, echo, "/echo", nil)
		ann.SendText("hello")
		ann.WantText("hello")
		ann.SendText("good bye")
		ann.WantText("hello")
	}

	fmt.Println(result(testEcho))
	// Output: consumertest: got the text message "good bye", want the text "hello"
}
