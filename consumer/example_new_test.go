package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/router"
)

// Chat is the connection of one person in one room.
type Chat struct {
	consumer.Base
	room string
}

// NewChat makes a Chat for each connection.
func NewChat(s *consumer.Scope) *Chat { return &Chat{room: s.Param("group")} }

// Connect joins the group of the room.
func (c *Chat) Connect(ctx context.Context, conn *consumer.Conn) error {
	return conn.Join(ctx, c.room)
}

// Receive sends a message to everyone in the room.
func (c *Chat) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error {
	return conn.Broadcast(ctx, c.room, m)
}

// A chat with rooms: the group of a connection comes from its URL.
func ExampleNew() {
	app := router.NewURLRouter(router.RePath(`^ws/(?P<group>\w{1,99})/$`, consumer.New(NewChat)))

	// A program serves app with websocket.New. Here two clients talk to it.
	ann, bob := connect(app, "/ws/123/"), connect(app, "/ws/123/")
	defer hangUp(ann, bob)
	ann.SendText("hello")
	fmt.Println("Bob reads:", bob.Message().Text())
	// Output: Bob reads: hello
}
