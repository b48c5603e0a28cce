package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// Guest tells its peer which guests enter and exit.
type Guest struct {
	consumer.Base
	name string
}

// NewGuest makes a Guest for each connection.
func NewGuest(s *consumer.Scope) *Guest { return &Guest{name: s.Query().Get("name")} }

// Connect joins the group and makes the guest present in it.
func (g *Guest) Connect(ctx context.Context, c *consumer.Conn) error {
	if err := c.Join(ctx, "party"); err != nil {
		return err
	}
	return c.Enter(ctx, "party", g.name, nil)
}

// Receive sends a message to the other guests.
func (g *Guest) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return c.BroadcastOthers(ctx, "party", m)
}

// Disconnect exits at once if the peer has closed the connection, and not lost it.
func (g *Guest) Disconnect(ctx context.Context, c *consumer.Conn, s consumer.CloseStatus) {
	if s.Remote {
		_ = c.Exit(ctx, "party") // after an error the presence ends later, when it has lingered
	}
}

func (g *Guest) entered(ctx context.Context, c *consumer.Conn, e consumer.PresenceEvent) error {
	return c.SendText(ctx, e.Presence.Key+" enters")
}

func (g *Guest) exited(ctx context.Context, c *consumer.Conn, e consumer.PresenceEvent) error {
	return c.SendText(ctx, e.Presence.Key+" exits")
}

// A peer that loses its connection and comes back within the linger time stays present:
// the other members receive no event.
func ExamplePresenceLinger() {
	app := layers.Middleware(new(layers.Layer))(consumer.New(NewGuest,
		consumer.PresenceLinger[*Guest](30*time.Second),
		consumer.On(consumer.Entered, (*Guest).entered),
		consumer.On(consumer.Exited, (*Guest).exited),
	))

	ann := connect(app, "/?name=Ann")
	defer hangUp(ann)
	bob := connect(app, "/?name=Bob")
	bob.Vanish() // he loses his connection
	bob.WantOver()
	bob = connect(app, "/?name=Bob")
	hangUp(bob) // the page is closed
	for range 3 {
		fmt.Println("Ann:", ann.Message().Text())
	}
	// Output:
	// Ann: Ann enters
	// Ann: Bob enters
	// Ann: Bob exits
}

// Typing notices go to all members except the sender.
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
