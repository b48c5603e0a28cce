package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
)

// Move is what a player sends.
type Move struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// Board is the game of one player.
type Board struct {
	consumer.Base
	taken map[Move]bool
}

// NewBoard makes a Board for each connection.
func NewBoard(*consumer.Scope) *Board { return &Board{taken: map[Move]bool{}} }

// ReceiveJSON makes a move.
func (b *Board) ReceiveJSON(ctx context.Context, c *consumer.Conn, m Move) error {
	if b.taken[m] {
		return c.SendJSON(ctx, map[string]string{"error": "taken"})
	}
	b.taken[m] = true
	return c.SendJSON(ctx, m)
}

// ReceiveJSON handles decoded messages. A message that cannot be decoded closes the
// connection.
func ExampleJSON() {
	ann := connect(consumer.JSON(NewBoard), "/")
	defer hangUp(ann)
	ann.SendText(`{"x": 1, "y": 2}`)
	ann.SendText(`{"x": 1, "y": 2}`)
	ann.SendText("good morning")
	fmt.Println(ann.Message().Text())
	fmt.Println(ann.Message().Text())
	fmt.Println(ann.WantClose(consumer.CloseInvalidPayload).Code)
	// Output:
	// {"x":1,"y":2}
	// {"error":"taken"}
	// 1007 invalid payload data
}
