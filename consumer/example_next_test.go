package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wye-go/wye/consumer"
)

// Next reads the answer to a question in the body of a loop.
func ExampleStream_Next() {
	vault := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		for m, err := range s.Messages(ctx) {
			if err != nil {
				return err
			}
			if m.Text() != "open" {
				continue
			}
			if err := s.SendText(ctx, "PIN?"); err != nil {
				return err
			}
			soon, cancel := context.WithTimeout(ctx, time.Minute)
			pin, err := s.Next(soon)
			cancel()
			if err != nil {
				return err
			}
			if pin.Text() != "4711" {
				return consumer.NewCloseError(4401, "wrong PIN")
			}
			if err := s.SendText(ctx, "It is open."); err != nil {
				return err
			}
		}
		return nil
	})

	ann := connect(vault, "/vault")
	defer hangUp(ann)
	ann.SendText("open")
	fmt.Println(ann.Message().Text())
	ann.SendText("4711")
	fmt.Println(ann.Message().Text())
	ann.SendText("open")
	fmt.Println(ann.Message().Text())
	ann.SendText("0815")
	fmt.Println(ann.WantClose(4401).Reason)
	// Output:
	// PIN?
	// It is open.
	// PIN?
	// wrong PIN
}
