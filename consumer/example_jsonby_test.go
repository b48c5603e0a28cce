package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wye-go/wye/consumer"
)

// Table is a card game with several types of messages.
type Table struct {
	consumer.Base
}

// NewTable makes a Table for each connection.
func NewTable(*consumer.Scope) *Table { return &Table{} }

// Bid is what {"type": "bid", "amount": 7} decodes into.
type Bid struct {
	Amount int `json:"amount"`
}

func (*Table) bid(ctx context.Context, c *consumer.Conn, b Bid) error {
	return c.SendText(ctx, fmt.Sprint("bid ", b.Amount))
}

func (*Table) pass(ctx context.Context, c *consumer.Conn, _ struct{}) error {
	return c.SendText(ctx, "passed")
}

// Each type of message has a handler of its own.
func ExampleJSONBy() {
	ann := connect(consumer.JSONBy("type", NewTable,
		consumer.Case("bid", (*Table).bid),
		consumer.Case("pass", (*Table).pass)), "/")
	defer hangUp(ann)
	ann.SendText(`{"type": "bid", "amount": 7}`)
	ann.SendText(`{"type": "pass"}`)
	fmt.Println(ann.Message().Text())
	fmt.Println(ann.Message().Text())
	// Output:
	// bid 7
	// passed
}

func (*Table) explain(ctx context.Context, c *consumer.Conn, _ consumer.Message, err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return consumer.NewCloseError(consumer.CloseInvalidPayload, "send JSON")
	}
	return c.SendText(ctx, "wrong: "+wrong.Field)
}

// A message with a wrong field need not close the connection: here the peer is told which
// field it is.
func ExampleOnDecodeError() {
	ann := connect(consumer.JSONBy("type", NewTable,
		consumer.Case("bid", (*Table).bid),
		consumer.OnDecodeError((*Table).explain)), "/")
	defer hangUp(ann)
	ann.SendText(`{"type": "bid", "amount": "seven"}`)
	fmt.Println(ann.Message().Text())
	// Output: wrong: amount
}
