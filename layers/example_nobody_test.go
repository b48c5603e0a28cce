package layers_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// A user who is not connected gets a mail instead.
func ExampleLayer_GroupSendCount() {
	l := new(layers.Layer)
	app := layers.Middleware(l)(consumer.New(NewReader,
		consumer.Groups[*Reader]("user.ann"),
		consumer.On(Published, (*Reader).published),
	))
	tell := func(user, title string) {
		n, err := l.GroupSendCount(context.Background(), layers.GroupName("user", user), Published.New(Article{Title: title}), nil)
		switch {
		case err != nil:
			fmt.Println(err)
		case n == 0:
			fmt.Println("a mail to", user)
		}
	}

	ann := connect(app)
	defer hangUp(ann)
	tell("ann", "Rain")
	tell("bob", "Rain")
	fmt.Println("Ann:", ann.Message().Text())
	// Output:
	// a mail to bob
	// Ann: new: Rain
}

// Callback gives its channel name away, for answers to this connection alone.
type Callback struct{ consumer.Base }

// NewCallback makes a Callback for each connection.
func NewCallback(*consumer.Scope) *Callback { return &Callback{} }

// Connect sends the name to the peer.
func (cb *Callback) Connect(ctx context.Context, c *consumer.Conn) error {
	return c.SendText(ctx, c.Channel())
}

func (cb *Callback) published(ctx context.Context, c *consumer.Conn, a Article) error {
	return c.SendText(ctx, "for you: "+a.Title)
}

// An answer to one connection, which may have closed meanwhile.
func ExampleLayer_TrySend() {
	l := new(layers.Layer)
	app := layers.Middleware(l)(consumer.New(NewCallback, consumer.On(Published, (*Callback).published)))
	answer := func(channel string) {
		err := l.TrySend(context.Background(), channel, Published.New(Article{Title: "Rain"}))
		switch {
		case errors.Is(err, layers.ErrNoConsumer):
			fmt.Println("it has gone; the answer is kept")
		case err != nil:
			fmt.Println(err)
		}
	}

	ann := connect(app)
	channel := ann.Message().Text()
	answer(channel)
	fmt.Println(ann.Message().Text())
	hangUp(ann)
	answer(channel)
	// Output:
	// for you: Rain
	// it has gone; the answer is kept
}

// One of a user's connections is closed, and the others stay.
func ExampleLayer_CloseChannel() {
	l := new(layers.Layer)
	app := layers.Middleware(l)(consumer.New(NewCallback))

	desk, phone := connect(app), connect(app)
	defer hangUp(desk)
	if err := l.CloseChannel(context.Background(), phone.Message().Text(), 4001, "signed out"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(phone.WantClose(4001).Reason)
	// Output: signed out
}
