package layers_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/router"
)

// Guest is somebody at a party.
type Guest struct{ consumer.Base }

// NewGuest makes a Guest for each connection.
func NewGuest(*consumer.Scope) *Guest { return &Guest{} }

// Receive passes on what the guest says.
func (g *Guest) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return c.Broadcast(ctx, "party", m)
}

// Two parties with groups of the same name, which do not hear each other.
func ExampleMiddleware() {
	party := consumer.New(NewGuest, consumer.Groups[*Guest]("party"))
	upstairs := router.Use(party, layers.Middleware(new(layers.Layer)))
	downstairs := router.Use(party, layers.Middleware(new(layers.Layer)))

	ann, bob, eve := connect(upstairs), connect(upstairs), connect(downstairs)
	defer hangUp(ann, bob, eve)
	ann.SendText("hello from upstairs")
	eve.SendText("hello from below")
	fmt.Println("Bob hears:", bob.Message().Text())
	fmt.Println("Eve hears:", eve.Message().Text())
	// Output:
	// Bob hears: hello from upstairs
	// Eve hears: hello from below
}
