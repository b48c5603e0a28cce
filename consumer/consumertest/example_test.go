package consumertest_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
)

// A test of an echo, and the text of its failure. The T of this Example is *testing.T in
// a program.
func ExampleConnect() {
	echo := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	})

	testEcho := func(t *T) {
		ann := consumertest.Connect(t, echo, "/echo", nil)
		ann.SendText("hello")
		ann.WantText("hello")
		ann.SendText("goodbye")
		ann.WantText("hello")
	}

	fmt.Println(result(testEcho))
	// Output: consumertest: got the text message "goodbye", want the text "hello"
}

// SkipTo discards the messages before the one that the test is about.
func ExampleClient_SkipTo() {
	type tick struct {
		Left int `json:"left"`
	}
	countdown := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		err := s.Accept(&consumer.AcceptOptions{Header: http.Header{"Set-Cookie": {"seen=yes"}}})
		for left := 5; left >= 0 && err == nil; left-- {
			err = s.SendJSON(ctx, tick{left})
		}
		return err
	})

	testCountdown := func(t *T) {
		ann := consumertest.Connect(t, countdown, "/", nil)
		fmt.Println("cookie:", ann.Header().Get("Set-Cookie"))
		var first, last tick
		ann.DecodeJSON(&first)
		ann.SkipTo(func(m consumer.Message) bool { return m.Text() == `{"left":1}` })
		ann.DecodeJSON(&last)
		fmt.Println("from", first.Left, "to", last.Left)
		ann.WantClose(consumer.CloseNormal)
	}

	fmt.Println(result(testCountdown))
	// Output:
	// cookie: seen=yes
	// from 5 to 0
}
