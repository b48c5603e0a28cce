package protocol_test

import (
	"context"
	"fmt"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// echoes is the handler of ExampleSession.
type echoes struct{}

func (echoes) Connect(context.Context, *protocol.Conn) error { return nil }

func (echoes) Receive(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
	return c.Send(ctx, m)
}

func (echoes) Event(context.Context, *protocol.Conn, *protocol.Event) error {
	return plumbing.ErrEventUnknown
}

func (echoes) Disconnect(_ context.Context, _ *protocol.Conn, s protocol.CloseStatus) {
	fmt.Println("gone:", s.Code)
}
