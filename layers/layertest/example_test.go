package layertest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// Price is what traders are told.
type Price struct {
	Cents int `json:"cents"`
}

// Changed goes to all traders.
var Changed = protocol.EventType[Price]{Name: "price.changed"}

// Board is the program under test: it shows the last price, and says when that
// may be an old one.
type Board struct{ lines chan string }

// Deliver makes Board a layers.Member, which a consumer would do for it.
func (b *Board) Deliver(e *protocol.Event) (yield bool) {
	switch p, err := Changed.Payload(e); {
	case e.Type() == layers.Down.Name:
		b.lines <- "prices may be old"
	case e.Type() == layers.Gap.Name:
		b.lines <- "asking the database for the price"
	case err == nil:
		b.lines <- fmt.Sprintf("%d cents", p.Cents)
	}
	return false
}

// Offer takes messages for the peer, of which there are none here.
func (b *Board) Offer(*protocol.Prepared) (yield bool) { return false }

// Watches has the layer tell the board when it fails; a consumer declares a
// handler with consumer.On for that.
func (b *Board) Watches(typ string) bool { return typ == layers.Down.Name || typ == layers.Gap.Name }

// A test of what a program does when its layer fails. Two layers on one Broker are
// two processes.
func ExampleBroker() {
	ctx, broker := context.Background(), layertest.NewBroker(nil)
	defer broker.Close()
	server, err := layers.Open(ctx, broker.Node())
	if err != nil {
		panic(err)
	}
	exchange, err := layers.Open(ctx, broker.Node())
	if err != nil {
		panic(err)
	}

	board := &Board{lines: make(chan string, 10)}
	if err := server.Join(ctx, "prices", board); err != nil {
		panic(err)
	}
	send := func(cents int) error { return exchange.GroupSend(ctx, "prices", Changed.New(Price{cents})) }

	fmt.Println("sent:", send(100))
	fmt.Println(<-board.lines)

	broker.Stop()
	fmt.Println("nobody else gets it:", errors.Is(send(110), layers.ErrDown))
	fmt.Println(<-board.lines)

	broker.Start()
	fmt.Println(<-board.lines)
	fmt.Println("sent:", send(120))
	fmt.Println(<-board.lines)
	// Output:
	// sent: <nil>
	// 100 cents
	// nobody else gets it: true
	// prices may be old
	// asking the database for the price
	// sent: <nil>
	// 120 cents
}
