package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
)

// An echo. A program serves it with http.Handle("/echo", websocket.Handler(echo)).
func ExampleReceiveFunc() {
	echo := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	})

	ann := connect(echo, "/echo")
	defer hangUp(ann)
	ann.SendText("hello")
	fmt.Println(ann.Message().Text())
	// Output: hello
}

// A game. The function runs once for each player, and the connection closes when it
// returns.
func ExampleFunc() {
	game := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		if err := s.SendText(ctx, "Guess a number."); err != nil {
			return err
		}
		for m, err := range s.Messages(ctx) {
			if err != nil {
				return err
			}
			if m.Text() == "7" {
				return s.SendText(ctx, "Yes!")
			}
			if err := s.SendText(ctx, "No."); err != nil {
				return err
			}
		}
		return nil // the player has closed the connection
	})

	ann := connect(game, "/game")
	defer hangUp(ann)
	ann.SendText("3")
	ann.SendText("7")
	for range 3 {
		fmt.Println(ann.Message().Text())
	}
	fmt.Println(ann.WantClose(consumer.CloseNormal).Code)
	// Output:
	// Guess a number.
	// No.
	// Yes!
	// 1000 normal closure
}
