package layers_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Player is present in the game under the name of its user.
type Player struct{ consumer.Base }

// NewPlayer makes a Player for each connection.
func NewPlayer(*consumer.Scope) *Player { return &Player{} }

// Connect enters, which needs no membership.
func (p *Player) Connect(ctx context.Context, c *consumer.Conn) error {
	return c.Enter(ctx, "game", "ann", nil)
}

// Any code can ask whether a user is there, and how many users are, without reading
// all of them.
func ExampleLayer_PresentKey() {
	ctx := context.Background()
	l := new(layers.Layer)
	app := layers.Middleware(l)(consumer.New(NewPlayer))
	desk, phone := connect(app), connect(app)
	defer hangUp(desk, phone)

	for _, user := range []string{"ann", "bob"} {
		from, err := l.PresentKey(ctx, "game", user)
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(user, "has", len(from), "connections")
	}
	n, err := l.CountPresent(ctx, "game")
	fmt.Println(n.Keys, "user", n.Presences, "connections", err)
	// Output:
	// ann has 2 connections
	// bob has 0 connections
	// 1 user 2 connections <nil>
}

// The last events of a history, for a page that shows them.
func ExampleLayer_History() {
	ctx := context.Background()
	l := new(layers.Layer)
	for _, title := range []string{"Snow", "Hail", "Rain"} {
		if _, err := l.Record(ctx, "news", Published.New(Article{Title: title}), layers.Retention{}); err != nil {
			fmt.Println(err)
		}
	}

	show := func(h layers.History, err error) {
		if err != nil {
			fmt.Println(err)
		}
		for _, e := range h.Events {
			a, err := Published.Payload(e)
			fmt.Println(e.Position().Offset, a.Title, err)
		}
	}
	show(l.History(ctx, "news", layers.Range{Limit: 2, Newest: true}))
	show(l.History(ctx, "news", layers.Range{After: protocol.Position{}, Limit: 1}))
	// Output:
	// 2 Hail <nil>
	// 3 Rain <nil>
	// 1 Snow <nil>
}
