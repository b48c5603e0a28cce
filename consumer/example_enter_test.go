package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
)

// Visitor tells its peer which visitors are in the museum.
type Visitor struct {
	consumer.Base
	name string
}

// NewVisitor makes a Visitor for each connection.
func NewVisitor(s *consumer.Scope) *Visitor { return &Visitor{name: s.Query().Get("name")} }

// Connect joins the group before it reads the list, so that no visitor is missed who
// enters in between.
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
	if err := c.SendText(ctx, fmt.Sprintf("%d here already: %q", len(names), names)); err != nil {
		return err
	}
	return c.Enter(ctx, "museum", v.name, nil)
}

func (v *Visitor) entered(ctx context.Context, c *consumer.Conn, e consumer.PresenceEvent) error {
	return c.SendText(ctx, e.Presence.Key+" enters")
}

func (v *Visitor) exited(ctx context.Context, c *consumer.Conn, e consumer.PresenceEvent) error {
	return c.SendText(ctx, e.Presence.Key+" exits")
}

// A connection is present until it closes. The members of the group receive an event when
// a visitor enters or exits.
func ExampleConn_Enter() {
	app := consumer.New(NewVisitor,
		consumer.On(consumer.Entered, (*Visitor).entered),
		consumer.On(consumer.Exited, (*Visitor).exited),
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
	// Bob: 1 here already: ["Ann"]
	// Ann: 0 here already: []
	// Ann: Ann enters
	// Ann: Bob enters
	// Ann: Bob exits
}
