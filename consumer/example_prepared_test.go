package consumer_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Quote is what a share costs. Handlers on one node share it, and what it looks like
// to peers.
type Quote struct {
	Share string  `json:"share"`
	Price float64 `json:"price"`

	once sync.Once
	text *protocol.Prepared
}

// Quoted has a pointer for its payload, so that all handlers get the same Quote.
var Quoted = protocol.EventType[*Quote]{Name: "share.quoted"}

// prepared is the message for peers. The first who asks encodes it, for all.
func (q *Quote) prepared() *protocol.Prepared {
	q.once.Do(func() { q.text = protocol.Prepare(protocol.Text(fmt.Sprintf("%s costs %.2f", q.Share, q.Price))) })
	return q.text
}

// Ticker is somebody who watches the shares that he has said he wants.
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

// A message that each consumer decides about, and which is the same for all who get
// it, is encoded once. (If all get it, Conn.Broadcast does so by itself.)
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
