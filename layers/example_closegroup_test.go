package layers_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
)

// Account is a connection of a user, who may have several.
type Account struct{ consumer.Base }

// NewAccount makes an Account for each connection.
func NewAccount(*consumer.Scope) *Account { return &Account{} }

// Connect joins the group of the user.
func (a *Account) Connect(ctx context.Context, c *consumer.Conn) error {
	return c.Join(ctx, "user.ann")
}

// A user who signs out everywhere loses all connections, on all nodes.
func ExampleLayer_CloseGroup() {
	l := new(layers.Layer)
	app := layers.Middleware(l)(consumer.New(NewAccount))

	desk := connect(app)
	phone := connect(app)
	if err := l.CloseGroup(context.Background(), "user.ann", 4001, "signed out"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(desk.WantClose(4001).Reason)
	fmt.Println(phone.WantClose(4001).Reason)
	hangUp(desk, phone)
	// Output:
	// signed out
	// signed out
}
