package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// Visitor sees who is there.
type Visitor struct {
	consumer.Base
	name string
}

// NewVisitor makes a Visitor for each connection.
func NewVisitor(s *consumer.Scope) *Visitor { return &Visitor{name: s.Query().Get("name")} }

// Connect joins first, so that nobody who comes is missed, and tells who is there.
func (v *Visitor) Connect(ctx context.Context, c *consumer.Conn) error {
	if err := c.Join(ctx, "museum"); err != nil {
		return err
	}
	all, err := c.Present(ctx, "museum")
	if err != nil {
		return err
	}
	names := []string{}
	for _, p := range all {
		names = append(names, p.Key)
	}
	if err := c.SendText(ctx, fmt.Sprintf("%d before you %q", len(names), names)); err != nil {
		return err
	}
	return c.Enter(ctx, "museum", v.name, nil)
}

func (v *Visitor) came(ctx context.Context, c *consumer.Conn, of layers.PresenceEvent) error {
	return c.SendText(ctx, of.Presence.Key+" comes")
}

func (v *Visitor) went(ctx context.Context, c *consumer.Conn, of layers.PresenceEvent) error {
	return c.SendText(ctx, of.Presence.Key+" goes")
}

// Connections are present until they end, and those who are in the group are told.
func ExampleConn_Enter() {
	app := consumer.New(NewVisitor,
		consumer.On(layers.Entered, (*Visitor).came),
		consumer.On(layers.Exited, (*Visitor).went),
	)

	ann := connect(app, "/?name=Ann")
	defer hangUp(ann)
	bob := connect(app, "/?name=Bob")
	fmt.Println("Bob:", bob.Message().Text())
	hangUp(bob)
	for range 4 {
		fmt.Println("Ann:", ann.Message().Text())
	}
	// Output:
	// Bob: 1 before you ["Ann"]
	// Ann: 0 before you []
	// Ann: Ann comes
	// Ann: Bob comes
	// Ann: Bob goes
}
