package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// Guest sees who comes and goes, and says goodbye to leave at once.
type Guest struct {
	consumer.Base
	name string
}

// NewGuest makes a Guest for each connection.
func NewGuest(s *consumer.Scope) *Guest { return &Guest{name: s.Query().Get("name")} }

// Connect joins and enters.
func (g *Guest) Connect(ctx context.Context, c *consumer.Conn) error {
	if err := c.Join(ctx, "party"); err != nil {
		return err
	}
	return c.Enter(ctx, "party", g.name, nil)
}

// Receive sends to all others.
func (g *Guest) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return c.BroadcastOthers(ctx, "party", m)
}

// Disconnect does not wait for the linger if the peer has closed.
func (g *Guest) Disconnect(ctx context.Context, c *consumer.Conn, s consumer.CloseStatus) {
	if s.Remote {
		_ = c.Exit(ctx, "party") // after an error it exits when it has lingered
	}
}

func (g *Guest) came(ctx context.Context, c *consumer.Conn, of layers.PresenceEvent) error {
	return c.SendText(ctx, of.Presence.Key+" comes")
}

func (g *Guest) went(ctx context.Context, c *consumer.Conn, of layers.PresenceEvent) error {
	return c.SendText(ctx, of.Presence.Key+" goes")
}

// A peer that loses its connection and comes back has not been away for the others.
func ExamplePresenceLinger() {
	app := layers.Middleware(new(layers.Layer))(consumer.New(NewGuest,
		consumer.PresenceLinger[*Guest](30*time.Second),
		consumer.On(layers.Entered, (*Guest).came),
		consumer.On(layers.Exited, (*Guest).went),
	))

	ann := connect(app, "/?name=Ann")
	defer hangUp(ann)
	bob := connect(app, "/?name=Bob")
	bob.Vanish() // a tunnel
	bob.WantOver()
	bob = connect(app, "/?name=Bob")
	hangUp(bob) // the page is closed
	for range 3 {
		fmt.Println("Ann:", ann.Message().Text())
	}
	// Output:
	// Ann: Ann comes
	// Ann: Bob comes
	// Ann: Bob goes
}

// Typing notices go to all members but the sender.
func ExampleConn_BroadcastOthers() {
	app := layers.Middleware(new(layers.Layer))(consumer.New(NewGuest))

	ann, bob := connect(app, "/?name=Ann"), connect(app, "/?name=Bob")
	defer hangUp(ann, bob)
	ann.SendText("Ann is typing")
	bob.SendText("Bob is typing")
	fmt.Println("Ann:", ann.Message().Text())
	fmt.Println("Bob:", bob.Message().Text())
	// Output:
	// Ann: Bob is typing
	// Bob: Ann is typing
}
