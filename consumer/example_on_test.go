package consumer_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
)

// Line is one line of the chat.
type Line struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// Said is sent to the group "lobby".
var Said = consumer.EventType[Line]{Name: "chat.message"}

// Person is the connection of one person in the lobby.
type Person struct {
	consumer.Base
	name string
}

// NewPerson makes a Person for each connection.
func NewPerson(s *consumer.Scope) *Person { return &Person{name: s.Query().Get("name")} }

// Receive sends a line to every member of the group.
func (p *Person) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	return c.GroupSend(ctx, "lobby", Said.New(Line{From: p.name, Text: m.Text()}))
}

func (p *Person) said(ctx context.Context, c *consumer.Conn, l Line) error {
	if l.From == p.name {
		l.From = "you"
	}
	return c.SendJSON(ctx, l)
}

// An event goes to the handlers of the members, each of which decides what its peer
// receives.
func ExampleOn() {
	app := consumer.New(NewPerson,
		consumer.Groups[*Person]("lobby"),
		consumer.On(Said, (*Person).said),
	)

	ann, bob := connect(app, "/?name=Ann"), connect(app, "/?name=Bob")
	defer hangUp(ann, bob)
	ann.SendText("hello")
	fmt.Println(ann.Message().Text())
	fmt.Println(bob.Message().Text())
	// Output:
	// {"from":"you","text":"hello"}
	// {"from":"Ann","text":"hello"}
}
