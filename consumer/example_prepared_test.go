package consumer_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// Quote is the price of a share. The handlers in one process share it, and the message
// that they send.
type Quote struct {
	Share string  `json:"share"`
	Price float64 `json:"price"`

	once sync.Once
	text *consumer.Prepared
}

// Quoted has a pointer as its payload, so that all handlers receive the same Quote.
var Quoted = consumer.EventType[*Quote]{Name: "share.quoted"}

// prepared returns the message for the peers. The first call encodes it.
func (q *Quote) prepared() *consumer.Prepared {
	q.once.Do(func() { q.text = consumer.Prepare(consumer.Text(fmt.Sprintf("%s costs %.2f", q.Share, q.Price))) })
	return q.text
}

// Ticker sends its peer the quotes of the shares that the peer has asked for.
type Ticker struct {
	consumer.Base
	wants map[string]bool
}

// NewTicker makes a Ticker for each connection.
func NewTicker(s *consumer.Scope) *Ticker {
	return &Ticker{wants: map[string]bool{s.Query().Get("share"): true}}
}

func (t *Ticker) quoted(ctx context.Context, c *consumer.Conn, q *Quote) error {
	if !t.wants[q.Share] {
		return nil
	}
	return c.SendPrepared(ctx, q.prepared())
}

// Each handler decides whether its peer receives the message, which is encoded once for
// all of them. If every member of the group receives it, use Conn.Broadcast.
func ExampleOn_prepared() {
	app := consumer.New(NewTicker,
		consumer.Groups[*Ticker]("shares"),
		consumer.On(Quoted, (*Ticker).quoted),
	)

	ann, bob := connect(app, "/?share=ACME"), connect(app, "/?share=ACME")
	defer hangUp(ann, bob)
	ctx := context.Background()
	for _, q := range []*Quote{{Share: "NOPE", Price: 1}, {Share: "ACME", Price: 12.5}} {
		if err := layers.Default().GroupSend(ctx, "shares", Quoted.New(q)); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(ann.Message().Text())
	fmt.Println(bob.Message().Text())
	// Output:
	// ACME costs 12.50
	// ACME costs 12.50
}
